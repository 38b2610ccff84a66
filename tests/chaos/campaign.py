#!/usr/bin/env python3
"""One farm of real processes under faults, and the oracle's judgement afterwards.

usage: campaign.py [--seed N] [--time-limit S] [--kills broker=400,worker=400,optimizer=200] [--points N] [--freezes N]
                   [--workers N] [--slots N] [--optimizers N] [--timers short|default] [--keep] [--json FILE]

A broker, workers, optimizers and clients run two studies after another; kills come at times drawn by the seed, evenly over the
time limit; every process is started again at once. With --points each start is armed with a fault point (points.py) until every
point was reached N times. Then the faults end, the studies have to come to their end, the daemons are stopped in order, and the
oracle reads the journal and the evidence; `tunefarm replay` recomputes every study. Exit status 0 if nothing is wrong."""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import oracle
from daemons import BIN, EVALUATOR, SHIM, Daemon, Process, Watch
from points import Points

TIMERS = {"short": ["--lease-ttl", "1s", "--beat", "300ms", "--restart-grace", "1s", "--orphan-grace", "5s", "--flush", "20ms"],
          "default": []}
LEASE = {"short": 1, "default": 30}
ROLES = ("broker", "worker", "optimizer", "client", "child")


def kills_of(text):
    out = {}
    for part in filter(None, text.split(",")):
        role, _, n = part.partition("=")
        if role not in ROLES or not n.isdigit():
            raise argparse.ArgumentTypeError(f"{part}: ROLE=N was expected, ROLE one of {', '.join(ROLES)}")
        out[role] = int(n)
    return out


class Campaign:
    def __init__(self, o):
        self.o, self.rng = o, random.Random(o.seed)
        self.dir = o.dir or tempfile.mkdtemp(prefix="tf-chaos-")
        os.makedirs(os.path.join(self.dir, "trace"), mode=0o700, exist_ok=True)
        os.chmod(self.dir, 0o700)
        self.listen = "ipc://" + os.path.join(self.dir, "b")
        self.watch = Watch()
        self.kills, self.notes = collections.Counter(), []
        self.points = Points(o.points, self.rng) if o.points else None
        self.faults = False
        self.daemons, self.clients, self.client_starts = [], set(), 0
        self.studies, self.asking = {}, False  # name: state as last seen
        self.env = dict(os.environ, HOME=self.dir, XDG_CONFIG_HOME=os.path.join(self.dir, "config"), XDG_RUNTIME_DIR=self.dir)
        for name in [n for n in self.env if n.startswith("TUNEFARM_")]:
            del self.env[name]

    # ---- what daemons ask and tell ----

    def shim_env(self, role, number):
        name = f"{role}-{number:06d}.trace"
        env = dict(self.env, LD_PRELOAD=SHIM)
        if role != "broker":
            env["CHAOS_TRACE"] = os.path.join(self.dir, "trace", name)
        return env

    def env_of(self, d):
        env = self.shim_env(d.role, sum(x.starts for x in self.daemons))
        d.point = self.points.next(d.role) if self.points and self.faults else None
        if d.point:
            env["CHAOS_AT"] = d.point.arm(self.rng)
            process_of = d
            self.watch.at(self.o.point_patience, lambda start=d.starts: self.disarm(process_of, start))
        return env

    def disarm(self, d, start):
        """A point that was not reached in time: another one is tried."""
        if d.starts == start and d.process and d.point and self.faults:
            self.points.missed(d.point)
            d.kill()

    def came_up(self, d):
        pass

    def ended(self, d, process, status):
        if status == -signal.SIGKILL and d.killed_by_us:
            self.kills[d.role] += 1
        elif status == -signal.SIGKILL and d.point:
            self.points.hit(d.point)
            self.kills[d.role] += 1
        elif d.wanted or status != 0:
            self.notes.append(f"{d.name} ended by itself with {status}: {d.log()}")
        if d.wanted:
            self.watch.at(self.rng.choice((0, 0, 0.02, 0.3)) if self.faults else 0, d.start)

    # ---- the farm ----

    def add(self, role, number, *argv):
        d = Daemon(self, role, number, [*self.start_of(role, number), os.path.join(BIN, "tunefarm-" + role), *argv])
        self.daemons.append(d)
        d.start()

    def address(self, role, number):
        """Where this daemon finds the broker."""
        return self.listen

    def start_of(self, role, number):
        """What stands before a daemon's command."""
        return []

    def database(self):
        return os.path.join(self.dir, "farm.db")

    def enough(self):
        """The faults may end before the time limit."""
        return self.points is not None and self.points.done()

    def listens(self):
        return ["--listen", self.listen]

    def begin(self):
        self.add("broker", 0, "--db", self.database(), *self.listens(), "--ballast", "1M",
                 *TIMERS[self.o.timers], *(["--check"] if self.o.check else []))
        self.wait_ready()
        for i in range(self.o.optimizers):
            self.add("optimizer", i, "--broker", self.address("optimizer", i))
        for i in range(self.o.workers):
            self.add("worker", i, "--broker", self.address("worker", i), "--root", os.path.join(self.dir, f"w{i}"), "--slots",
                     str(self.o.slots), "--keep-trials", "16", "--name", f"w{i}")
        self.wait_ready()

    def wait_ready(self):
        if not self.watch.run(lambda: all(d.ready for d in self.daemons), 60):
            raise SystemExit("the farm does not start: " + "".join(d.log() for d in self.daemons if not d.ready))

    def of(self, role):
        return [d for d in self.daemons if d.role == role]

    # ---- studies and clients ----

    def write_study(self):
        """Two kinds in turn: served with checkpoints, and one-shot programs of which some crash."""
        n = len(self.studies)
        served = n % 2 == 0
        args = ["--evidence", os.path.join(self.dir, "evidence"), "--steps", "3", "--sleep-ms", str(self.rng.choice((1, 4, 10)) * self.o.pace)]
        args += ["--served", "--checkpoint", "2"] if served else ["--crash", "60"]
        spec = {"study": f"s{n}", "objective": {"command": ["./chaos-trial", *args], "files": ["chaos-trial"], "metric": "loss",
                                                "serve": served, "grace": "1s"},
                "space": {"x": {"float": [0, 1]}, "lr": {"float": [1e-5, 1], "log": True}},
                "sampler": {"name": "tpe", "seed": n}, "stop": {"trials": self.o.trials}, "retry_delay": "50ms",
                "enqueue": [{"x": 0.5, "lr": 0.1}]}
        folder = os.path.join(self.dir, "study-" + spec["study"])
        os.makedirs(folder)
        shutil.copy2(EVALUATOR, os.path.join(folder, "chaos-trial"))
        path = os.path.join(folder, "study.yaml")
        with open(path, "w") as f:
            json.dump(spec, f)
        self.studies[spec["study"]] = "submitting"
        return spec["study"], path

    def client(self, *args, then=None, output=None):
        """A command; then(status) when it ended."""
        self.client_starts += 1
        env = dict(self.shim_env("client", self.client_starts), TUNEFARM_BROKER=self.listen)
        if args[0] == "sql":
            del env["CHAOS_TRACE"]
        log = output or open(os.path.join(self.dir, "clients.log"), "ab")

        def ended(process, status):
            self.clients.discard(process)
            if status == -signal.SIGKILL:
                self.kills["client"] += 1
            if then:
                then(status)
        process = Process(self.watch, [os.path.join(BIN, "tunefarm"), *args], ended, env, self.dir, log)
        log.close()
        self.clients.add(process)
        return process

    def submit(self, name, path):
        """Again until it is acknowledged: whoever loses the answer asks again."""
        def then(status):
            if status == 0:
                self.studies[name] = "open"
            else:
                self.watch.at(0.2, lambda: self.submit(name, path))
        self.client("submit", path, then=then)

    def ask_states(self):
        if self.asking:
            return
        self.asking = True
        path = os.path.join(self.dir, "states")

        def then(status):
            self.asking = False
            if status == 0:
                for row in json_lines(path):
                    self.studies[row["name"]] = row["state"]
        self.client("sql", "--json", "select name, state from study", then=then, output=open(path, "wb"))

    def going(self):
        """The studies that are acknowledged and have not ended."""
        return [name for name, state in self.studies.items() if state not in ("submitting", "ended")]

    def unfinished(self):
        return [name for name, state in self.studies.items() if state != "ended"]

    def keep_two(self):
        """Two studies at work, a new one for each that ended."""
        self.ask_states()
        while self.faults and len(self.unfinished()) < 2:
            self.submit(*self.write_study())
        self.watch.at(1.0, self.keep_two)

    # ---- faults ----

    def every(self, seconds, call):
        """Again and again, at times drawn around this mean, while the faults last."""
        def due():
            if self.faults:
                call()
                self.watch.at(self.rng.expovariate(1 / seconds), due)
        self.watch.at(self.rng.expovariate(1 / seconds), due)

    def kill_one(self, role):
        if role == "child":
            return self.kill_child(signal.SIGKILL)
        if role == "client":
            p = self.client(*self.request())
            self.watch.at(self.rng.uniform(0, 0.03), lambda: p.send(signal.SIGKILL))
            return
        alive = [d for d in self.of(role) if d.process and not d.killed_by_us]
        if alive:
            self.rng.choice(alive).kill()

    def freeze_one(self):
        role = self.rng.choice(("broker", "worker", "worker", "worker", "optimizer", "child"))
        seconds = self.rng.choice((0.1, 0.5, 1.2, 2.5)) * LEASE[self.o.timers]
        if role == "child":
            pid = self.kill_child(signal.SIGSTOP)
            if pid:
                self.watch.at(seconds, lambda: signal_pid(pid, signal.SIGCONT))
        elif self.rng.choice(self.of(role)).freeze(seconds):
            self.kills["frozen " + role] += 1

    def kill_child(self, sig):
        """An evaluator that began lately and lives still; its name is looked at, as numbers come again."""
        path = os.path.join(self.dir, "evidence")
        if not os.path.exists(path):
            return None
        with open(path, "rb") as f:
            f.seek(max(0, os.path.getsize(path) - 2000))
            pids = [int(line.split()[4]) for line in f.read().splitlines()[1:] if line.startswith(b"run ")]
        pids = [p for p in pids if is_evaluator(p)]
        pid = self.rng.choice(pids) if pids else None
        if not pid or not signal_pid(pid, sig):
            return None
        self.kills["child" if sig == signal.SIGKILL else "frozen child"] += 1
        return pid

    def request(self):
        """Something that a person may ask for."""
        name = self.rng.choice(self.going() or ["s0"])
        trial = str(self.rng.randrange(self.o.trials))
        return self.rng.choice((("enqueue", name, f"x={self.rng.random():.6f}", "lr=0.01"), ("pause", name), ("resume", name),
                                ("pause", name, trial), ("resume", name, trial), ("stop", name, trial), ("show", name),
                                ("best", name), ("enqueue", name, f"x={self.rng.random():.6f}", "lr=0.001")))

    def resume_all(self):
        """What chaos held back goes on."""
        for name in self.going():
            if self.studies[name] == "paused":
                self.client("resume", name)

    def begin_faults(self):
        self.faults = True
        for d in self.daemons if self.points else ():
            d.kill()  # and so comes back armed
        for role, n in self.o.kills.items():
            if n:
                self.every(self.o.time_limit / n, lambda role=role: self.kill_one(role))
        if self.o.freezes:
            self.every(self.o.time_limit / self.o.freezes, self.freeze_one)
        self.every(0.7, lambda: self.client(*self.request()))
        self.every(2.0, self.resume_all)

    # ---- the end ----

    def quiet(self):
        """No faults any more: every study ends (I14). Paused trials are let go; what is left open is closed."""
        self.faults = False
        for d in self.daemons:
            if d.process and d.process.stopped:
                d.thaw(d.process)
            if d.process and d.point:
                d.kill()
        self.watch.run(lambda: all(d.ready for d in self.daemons) and not self.clients, 60)
        self.let_go()
        if not self.watch.run(lambda: not self.unfinished(), self.o.patience):
            self.notes.append(f"I14: studies did not end within {self.o.patience} s: {self.studies}")

    def let_go(self):
        path = os.path.join(self.dir, "held")

        def then(status):
            for row in json_lines(path) if status == 0 else ():
                self.client("resume", row["study"], str(row["number"]))
        for name in self.going():
            self.client("resume", name)
        self.client("sql", "--json", "select study, number from trial where state = 'paused'", then=then, output=open(path, "wb"))
        if self.unfinished():
            self.watch.at(1.0, self.let_go)

    def stop(self):
        for role in ("worker", "optimizer", "broker"):
            for d in self.of(role):
                d.wanted = False
                d.kill(signal.SIGTERM)
            if not self.watch.run(lambda: not any(d.process for d in self.of(role)), 60):
                self.notes.append(f"{role}: does not end on SIGTERM")
                for d in self.of(role):
                    d.kill()
                self.watch.run(lambda: not any(d.process for d in self.of(role)), 10)

    def examine(self, v):
        """I8, the model's side: every proposal is a function of the journal. I20 once more, by tunefarm doctor."""
        for name in self.studies:
            status, said = self.command("replay", name, "--json", "--db", self.database())
            v.check("I8", status == 0, f"replay of {name}: {said}")
        if self.command("doctor", "--help")[0] == 0:
            status, said = self.command("doctor", "--db", self.database())
            v.check("I20", status <= 1, f"tunefarm doctor: {said}")  # 1: a warning, as of a disk that is rather full

    def command(self, *args):
        """A command on the stopped farm: exit status and what it printed."""
        done = subprocess.run([os.path.join(BIN, "tunefarm"), *args], env=self.env, cwd=self.dir, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def close(self):
        for d in self.daemons:
            d.wanted = False
            d.kill()
        self.watch.run(lambda: not any(d.process for d in self.daemons), 10)
        for p in list(self.clients):
            p.send(signal.SIGKILL)

    def run(self):
        begun = time.monotonic()
        self.begin()
        self.begin_faults()
        self.keep_two()
        self.watch.run(self.enough, self.o.time_limit)
        seconds = time.monotonic() - begun
        self.quiet()
        self.stop()
        return self.judge(seconds)

    def judge(self, seconds):
        v, figures = oracle.judge(self.dir)
        self.examine(v)
        for note in self.notes:
            v.check("ends", False, note)
        found = {"seed": self.o.seed, "seconds": round(seconds, 1), "kills": dict(self.kills), "figures": figures,
                 "points": self.points.table() if self.points else {}, "checked": {}, "checks": 0, "wrong": []}
        add_verdict(found, v)
        return found


def add_verdict(found, v):
    """What a further look checked, and found wrong."""
    for name, n in v.checked.items():
        found["checked"][name] = found["checked"].get(name, 0) + n
    found["checks"] += sum(v.checked.values())
    found["wrong"] += v.wrong


def json_lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.strip()]


def is_evaluator(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip() == "chaos-trial"
    except OSError:
        return False


def signal_pid(pid, sig):
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


def parser(about):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--time-limit", type=float, default=60, metavar="S")
    p.add_argument("--kills", type=kills_of, default="broker=20,worker=30,optimizer=15,client=10,child=10", metavar="ROLE=N,...")
    p.add_argument("--freezes", type=int, default=20)
    p.add_argument("--points", type=int, default=0, metavar="N")
    p.add_argument("--point-patience", type=float, default=20, metavar="S")
    p.add_argument("--workers", type=int, default=4)
    p.add_argument("--slots", type=int, default=3)
    p.add_argument("--optimizers", type=int, default=2)
    p.add_argument("--trials", type=int, default=150, help="of each study")
    p.add_argument("--pace", type=int, default=5, metavar="MS", help="an evaluator's step lasts so long, or 4 or 10 times")
    p.add_argument("--timers", choices=sorted(TIMERS), default="short")
    p.add_argument("--patience", type=float, default=240, metavar="S", help="for the studies' end after the faults")
    p.add_argument("--check", action="store_true", help="the broker recounts its invariants after each group")
    p.add_argument("--dir", help="where everything stands; default: a temporary directory")
    p.add_argument("--keep", action="store_true", help="leave the directory")
    p.add_argument("--json", metavar="FILE", help="write what was found")
    return p


def show(found, where):
    print(f"seed {found['seed']}: {found['seconds']:.0f} s, killed " +
          ", ".join(f"{n} {k}" for k, n in sorted(found["kills"].items())))
    print("  " + ", ".join(f"{k} {n}" for k, n in found["figures"].items()))
    print("  checked " + ", ".join(f"{k} {n}" for k, n in sorted(found["checked"].items())))
    for point, (hits, missed) in sorted(found["points"].items()):
        print(f"  point {point}: {hits} kills" + (f", {missed} not reached" if missed else ""))
    for name, text in found["wrong"][:20]:
        print(f"  WRONG {name}: {text}")
    print(f"  {found['checks']} checks, {len(found['wrong'])} violations" + (f"; kept: {where}" if where else ""), flush=True)


def conduct(c):
    """Runs a campaign and tells; the exit status."""
    o = c.o
    try:
        found = c.run()
    finally:
        c.close()
    keep = o.keep or bool(found["wrong"])
    show(found, c.dir if keep else None)
    if o.json:
        with open(o.json, "w") as f:
            json.dump(found, f)
    if not keep:
        shutil.rmtree(c.dir, ignore_errors=True)
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(conduct(Campaign(parser(__doc__.split("\n")[0]).parse_args())))
