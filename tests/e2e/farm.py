"""A farm of real processes for the end-to-end tests, and an oracle that reads its journal afterwards.

Everything lives in a temporary directory and talks over ipc (or 127.0.0.1). TUNEFARM_BIN names the directory with the
programs, TUNEFARM_EVALUATOR the test's evaluator."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

BIN = os.environ["TUNEFARM_BIN"]
EVALUATOR = os.environ["TUNEFARM_EVALUATOR"]
PATIENCE = float(os.environ.get("TUNEFARM_PATIENCE", "240"))  # machines are slow and shared


def study(name, trials, args, **more):
    """A study over one parameter x, minimised at 0.3; args are the evaluator's."""
    spec = {
        "study": name,
        "objective": {"command": ["./evaluator", *args], "files": ["evaluator"], "metric": "loss"},
        "space": {"x": {"float": [0, 1]}},
        "sampler": {"name": "tpe", "seed": 1},
        "stop": {"trials": trials},
    }
    for key, value in more.items():
        if isinstance(value, dict) and key in spec:
            spec[key].update(value)
        else:
            spec[key] = value
    return spec


class Farm:
    """Broker, optimizer and workers as separate daemons, each of which can be killed and started again."""

    def __init__(self, broker_args=(), listen=None):
        self.dir = tempfile.mkdtemp(prefix="tf-")
        os.chmod(self.dir, 0o700)
        self.db = os.path.join(self.dir, "farm.db")
        self.listen = listen or "ipc://" + os.path.join(self.dir, "b")
        self.broker_args = list(broker_args)
        self.processes = {}
        self.ended = {}  # exit status of those that did not start
        self.logs = {}
        self.env = dict(os.environ, HOME=self.dir, XDG_CONFIG_HOME=os.path.join(self.dir, "config"),
                        XDG_RUNTIME_DIR=self.dir)
        for name in list(self.env):
            if name.startswith("TUNEFARM_") and name not in ("TUNEFARM_BIN", "TUNEFARM_EVALUATOR"):
                del self.env[name]

    def start(self, name, program, *args):
        """Starts a daemon and waits until it says that it serves."""
        read_end, write_end = os.pipe()
        log = open(os.path.join(self.dir, name + ".log"), "ab")
        self.logs[name] = log.name
        process = subprocess.Popen([os.path.join(BIN, program), *args, "--ready-fd", str(write_end)],
                                   pass_fds=[write_end], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   cwd=self.dir, env=self.env)
        os.close(write_end)
        log.close()
        said = os.read(read_end, 64)
        os.close(read_end)
        if b"READY=1" not in said:
            self.ended[name] = process.wait(PATIENCE)
            raise AssertionError(f"{name} did not start: {self.log(name)}")
        self.processes[name] = process
        return process

    def broker(self):
        return self.start("broker", "tunefarm-broker", "--db", self.db, "--listen", self.listen, *self.broker_args)

    def optimizer(self):
        return self.start("optimizer", "tunefarm-optimizer", "--broker", self.listen)

    def worker(self, number=1, slots=4, *args):
        return self.start(f"worker{number}", "tunefarm-worker", "--broker", self.listen, "--root",
                          os.path.join(self.dir, f"w{number}"), "--slots", str(slots), *args)

    def all(self, slots=4):
        self.broker()
        self.optimizer()
        self.worker(1, slots)
        return self

    def kill(self, name, how=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(how)
        return process.wait(PATIENCE)

    def log(self, name):
        with open(self.logs[name], errors="replace") as f:
            return f.read()[-4000:]

    def write_study(self, spec):
        folder = os.path.join(self.dir, "study-" + spec["study"])
        os.makedirs(folder, exist_ok=True)
        target = os.path.join(folder, "evaluator")
        if not os.path.exists(target):
            shutil.copy2(EVALUATOR, target)
        path = os.path.join(folder, "study.yaml")
        with open(path, "w") as f:
            json.dump(spec, f)
        return path

    def tunefarm(self, *args, check=True, broker=True, input=None, cwd=None):
        """One command; its CompletedProcess. check: its exit status must be 0."""
        env = dict(self.env)
        if broker:
            env["TUNEFARM_BROKER"] = self.listen
        done = subprocess.run([os.path.join(BIN, "tunefarm"), *args], env=env, cwd=cwd or self.dir, input=input,
                              capture_output=True, text=True, timeout=PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"tunefarm {' '.join(args)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def sql(self, query):
        """Rows of a question to the running broker, as dicts."""
        done = self.tunefarm("sql", "--json", query)
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def submit(self, spec):
        self.tunefarm("submit", self.write_study(spec))
        return spec["study"]

    def wait(self, condition, what):
        """Polls until condition() is true; its value."""
        until = time.monotonic() + PATIENCE
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > until:
                logs = "\n".join(f"--- {n}\n{self.log(n)}" for n in self.logs)
                raise AssertionError(f"waited in vain for {what}\n{logs}")
            time.sleep(0.1)

    def count(self, name, states):
        quoted = ",".join(f"'{s}'" for s in states)
        rows = self.sql(f"select count(*) as n from trial where study = '{name}' and state in ({quoted})")
        return rows[0]["n"]

    def wait_trials(self, name, n, states=("complete",)):
        return self.wait(lambda: self.count(name, states) >= n, f"{n} trials of {name} in {states}")

    def wait_ended(self, name):
        return self.wait(lambda: self.sql(f"select state from study where name = '{name}'")[0]["state"] == "ended",
                         f"the end of {name}")

    def stop(self):
        """Ends every daemon in order: workers, optimizer, broker."""
        for name in sorted(self.processes, key=lambda n: ("worker" not in n, n == "broker")):
            status = self.kill(name, signal.SIGTERM)
            if status != 0:
                raise AssertionError(f"{name} ended with {status}: {self.log(name)}")

    def close(self):
        for name in list(self.processes):
            self.kill(name)
        shutil.rmtree(self.dir, ignore_errors=True)


STATE_COMPLETE, STATE_PRUNED, STATE_FAILED, STATE_CANCELLED = 6, 7, 8, 9


def oracle(test, db):
    """Checks invariants on the journal of a stopped farm; returns {study: {trial: final state}}.

    One end a trial and nothing of it afterwards (I2, I3); reports with rising steps (I4); what an attempt wrote lies
    between its grant and its end (I5); attempts numbered 1, 2, 3 (I6); draws and trial numbers dense (I11)."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    test.assertEqual(con.execute("pragma integrity_check").fetchone()[0], "ok")
    seqs = con.execute("select count(*), max(seq) from journal").fetchone()
    test.assertEqual(seqs[0], seqs[1], "the journal has a gap")
    rows = con.execute("select study, kind, trial, attempt, step from event where study > 0 order by seq").fetchall()
    final, attempt, is_open, last_step, trials = {}, {}, {}, {}, {}
    for study_number, kind, trial, att, step in rows:
        key = (study_number, trial)
        if kind in ("proposed", "enqueued"):
            test.assertEqual(trial, trials.get(study_number, 0), "trial numbers are dense")
            trials[study_number] = trial + 1
        if kind in ("granted", "started", "reported", "finished", "closed", "stopping", "checkpointed"):
            test.assertNotIn(key, final, f"{kind} after the end of trial {key}")
        if kind == "granted":
            test.assertEqual(att, attempt.get(key, 0) + 1, "attempts are numbered without a gap")
            test.assertFalse(is_open.get(key), "granted while an attempt is open")
            attempt[key], is_open[key] = att, True
            last_step.pop(key, None)
        elif kind in ("started", "reported", "checkpointed"):
            test.assertTrue(is_open.get(key) and attempt[key] == att, f"{kind} outside its attempt: {key}")
            if kind == "reported":
                test.assertGreater(step, last_step.get(key, -1), "steps rise")
                last_step[key] = step
        elif kind == "closed":
            test.assertTrue(is_open.get(key) and attempt[key] == att)
            is_open[key] = False
        elif kind == "finished":
            final[key] = True
    con.close()
    return {"trials": trials, "finished": final, "attempts": attempt}


class FarmTest(unittest.TestCase):
    def farm(self, *args, **kw):
        farm = Farm(*args, **kw)
        self.addCleanup(farm.close)
        return farm

    def assert_all_once(self, farm, name, trials):
        """After stop(): the study has so many trials, each finished exactly once."""
        found = oracle(self, farm.db)
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        number = con.execute("select number from study where name = ?", (name,)).fetchone()[0]
        states = con.execute("select state, count(*) from trial where study = ? group by state", (name,)).fetchall()
        con.close()
        self.assertEqual(found["trials"].get(number), trials)
        self.assertEqual(sum(1 for s, _ in found["finished"] if s == number), trials)
        return dict(states)
