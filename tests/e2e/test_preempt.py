"""Workers that leave while trials run: SIGTERM, tunefarm drain, notices of the clouds; and the trials that go on elsewhere."""
import glob
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HELPER = os.path.join(HERE, "..", "..", "clients", "report", "tunefarm_report.py")
sys.path.insert(0, os.path.dirname(HELPER))

from farm import FarmTest, oracle, study  # noqa: E402
from interruptible import loss_after  # noqa: E402
from metadata import Metadata  # noqa: E402


def interruptible(name, trials, mode="line", steps=40, sleep_ms=50, ask=None, **more):
    spec = study(name, trials, [], retries=0, **more)
    spec["objective"].update({"command": ["python3", "interruptible.py", "--mode", mode, "--steps", str(steps),
                                          "--sleep-ms", str(sleep_ms)],
                              "files": ["interruptible.py", "tunefarm_report.py"], "grace": "2s"})
    if ask:
        spec["objective"]["checkpoint"] = {"ask": ask}
    return spec


class PreemptTest(FarmTest):
    def farm_with(self, spec, *worker_args, slots=1):
        """A farm with one worker that has begun with the study's first trial."""
        farm = self.farm()
        farm.shared = os.path.join(farm.dir, "checkpoints")
        farm.broker()
        farm.optimizer()
        farm.worker(1, slots, "--name", "w1", "--checkpoints", farm.shared, *worker_args)
        path = farm.write_study(spec)
        for source in (os.path.join(HERE, "interruptible.py"), HELPER):
            shutil.copy(source, os.path.dirname(path))
        farm.tunefarm("submit", path)
        self.wait_step(farm, 0, 4)
        return farm

    def wait_step(self, farm, trial, step):
        farm.wait(lambda: farm.sql(f"select 1 as x from report where number = {trial} and step >= {step}"),
                  f"step {step} of trial {trial}")

    def second(self, farm, *args):
        farm.worker(2, 1, "--name", "w2", "--checkpoints", farm.shared, *args)

    def finished_exactly(self, farm, trials, steps):
        """Every trial ended once, uncounted as crash or loss, with the loss of an undisturbed run."""
        farm.wait_ended("s")
        rows = farm.sql("select number, state, attempt, crashes, lost, loss, json_extract(params, '$.x') as x from trial")
        farm.stop()
        oracle(self, farm.db)
        self.assertEqual(len(rows), trials)
        for row in rows:
            self.assertEqual((row["state"], row["crashes"], row["lost"]), ("complete", 0, 0), row)
            self.assertEqual(row["loss"], loss_after(row["x"], steps), row)
        return {row["number"]: row["attempt"] for row in rows}

    def events(self, farm, trial):
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        rows = con.execute("select kind, attempt, step, text from event where study = 1 and trial = ? order by seq",
                           (trial,)).fetchall()
        con.close()
        return rows

    def resumed_at_the_right_step(self, farm, trial=0):
        """Attempt 2 began where the last checkpoint of attempt 1 stands, and not a step elsewhere."""
        rows = self.events(farm, trial)
        kept = [step for kind, attempt, step, _ in rows if kind == "checkpointed" and attempt == 1]
        began = [step for kind, attempt, step, _ in rows if kind == "started" and attempt == 2]
        first = [step for kind, attempt, step, _ in rows if kind == "reported" and attempt == 2][0]
        self.assertTrue(kept)
        self.assertEqual((began, first), ([kept[-1]], kept[-1] + 1))

    # ---- what makes a worker leave ----

    def leaves(self, spec, how, steps=40):
        farm = self.farm_with(spec)
        self.second(farm)
        how(farm)
        self.assertEqual(farm.processes.pop("worker1").wait(60), 0)
        attempts = self.finished_exactly(farm, 2, steps)
        self.assertEqual(attempts[0], 2)
        self.resumed_at_the_right_step(farm)
        return farm

    def test_sigterm_asked_by_a_line(self):
        self.leaves(interruptible("s", 2, "line", ask="line"),
                    lambda farm: farm.processes["worker1"].send_signal(signal.SIGTERM))

    def test_sigterm_asked_by_a_signal(self):
        self.leaves(interruptible("s", 2, "signal", ask="SIGUSR1"),
                    lambda farm: farm.processes["worker1"].send_signal(signal.SIGTERM))

    def test_drain_command(self):
        def drain(farm):
            done = farm.tunefarm("drain", "w1", "--deadline", "20s", "--json")
            answer = json.loads(done.stdout)
            self.assertEqual((answer["worker"], answer["state"]), ("w1", "draining"))
        farm = self.leaves(interruptible("s", 2, "line", ask="line"), drain)
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        self.assertEqual(con.execute("select count(*) from event where kind = 'worker_draining'").fetchone()[0], 2)
        con.close()

    def test_served_evaluator(self):
        self.leaves(interruptible("s", 2, "line", ask="line", objective={"serve": True}),
                    lambda farm: farm.processes["worker1"].send_signal(signal.SIGTERM))

    def test_which_worker(self):
        farm = self.farm_with(interruptible("s", 1, steps=1000, ask="line"))
        farm.worker(2, 1, "--name", "twin")
        farm.worker(3, 1, "--name", "twin")
        refused = farm.tunefarm("drain", "twin", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn('2 workers are meant by "twin"', refused.stderr)
        self.assertEqual(farm.tunefarm("drain", "nobody", check=False).returncode, 4)
        ids = {row["id"]: row for row in farm.sql("select id, pid, name from worker where name = 'twin'")}
        self.assertEqual(len(ids), 2)
        chosen = next(iter(ids))
        table = farm.tunefarm("workers").stdout
        self.assertIn(chosen[:8], table)
        farm.tunefarm("drain", chosen[:12])
        left = [n for n in ("worker2", "worker3") if farm.processes[n].pid == ids[chosen]["pid"]][0]
        self.assertEqual(farm.processes.pop(left).wait(60), 0)
        farm.tunefarm("drain", "w1", "--now")
        self.assertEqual(farm.processes.pop("worker1").wait(60), 0)
        farm.tunefarm("stop", "s")
        farm.wait_ended("s")
        farm.stop()

    def test_shows_draining_workers(self):
        farm = self.farm_with(interruptible("s", 1, "ignore", steps=80))
        farm.tunefarm("drain", "w1", "--deadline", "1h")
        row = [json.loads(line) for line in farm.tunefarm("workers", "--json").stdout.splitlines()][0]
        self.assertEqual((row["name"], row["state"], row["running"]), ("w1", "draining", 1))
        self.assertEqual(farm.processes.pop("worker1").wait(60), 0)  # its trial ended by itself
        self.assertEqual(self.finished_exactly(farm, 1, 80), {0: 1})

    # ---- clouds ----

    def cloud(self, name):
        service = Metadata(name)
        self.addCleanup(service.close)
        return service, ["--cloud", name, "--cloud-address", service.address, "--cloud-every", "200ms"]

    def preempted_by(self, name):
        service, options = self.cloud(name)
        farm = self.farm_with(interruptible("s", 2, ask="line"), *options)
        self.second(farm)
        service.comes_in(30)
        self.assertEqual(farm.processes.pop("worker1").wait(30), 0)
        self.assertIn("PREEMPTION-NOTICE", farm.log("worker1"))
        self.assertEqual(self.finished_exactly(farm, 2, 40)[0], 2)
        self.resumed_at_the_right_step(farm)
        said = [text for kind, _, _, text in self.events(farm, 0) if kind == "closed"]
        self.assertEqual(len(said), 1)
        return service, farm

    def test_aws(self):
        service, _ = self.preempted_by("aws")
        self.assertEqual([r for r in service.requests if r[0] == "PUT"], [("PUT", "/latest/api/token")])

    def test_google(self):
        self.preempted_by("google")

    def test_azure(self):
        self.preempted_by("azure")

    def test_services_that_misbehave(self):
        """Nothing of it ends or holds up the worker; it is said once, and when it is over; then a notice still counts."""
        for name, faults in (("aws", ["expired", "500", "garbage", "slow", "endless", "drop"]), ("google", ["garbage", "drop"]),
                             ("azure", ["500", "endless"])):
            with self.subTest(name):
                service, options = self.cloud(name)
                farm = self.farm_with(interruptible("s", 1, steps=100000, sleep_ms=20, ask="line"), *options)
                recovered = 0
                for fault in faults:
                    count = len(service.requests)
                    service.fault = fault
                    if fault == "expired":
                        farm.wait(lambda: service.fault is None and len(service.requests) > count + 3, "a new token")
                        continue
                    recovered += 1
                    farm.wait(lambda: farm.log("worker1").count("CLOUD-UNREACHABLE") == recovered, fault)
                    count = len(service.requests)
                    farm.wait(lambda: len(service.requests) > count + 1, "it asks on")
                    service.fault = None
                    farm.wait(lambda: farm.log("worker1").count("CLOUD-REACHED") == recovered, "that it can again")
                self.assertEqual(farm.log("worker1").count("CLOUD-UNREACHABLE"), recovered)
                self.assertNotIn("WORKER-LOST", farm.log("worker1"))
                service.comes_in(30)
                self.assertEqual(farm.processes.pop("worker1").wait(30), 0)
                farm.tunefarm("stop", "s")
                farm.wait_ended("s")
                farm.stop()
                farm.close()

    def test_a_cloud_that_is_not_there(self):
        farm = self.farm_with(interruptible("s", 1, ask="line"), "--cloud", "aws", "--cloud-address", "http://127.0.0.1:1",
                              "--cloud-every", "100ms")
        self.assertEqual(self.finished_exactly(farm, 1, 40), {0: 1})
        self.assertEqual(farm.log("worker1").count("CLOUD-UNREACHABLE"), 1)

    # ---- what evaluators do ----

    def test_ignores_hangs_and_dies(self):
        """Nothing of it is counted against the trial; without a checkpoint it begins anew."""
        for mode in ("ignore", "hang", "die"):
            with self.subTest(mode):
                farm = self.farm_with(interruptible("s", 1, mode, ask="line", steps=80))
                self.second(farm)
                farm.tunefarm("drain", "w1", "--deadline", "3s")
                self.assertEqual(farm.processes.pop("worker1").wait(10), 0)
                if mode == "hang":  # it would hang for ever on w2 only if it were asked again
                    self.assertEqual(farm.count("s", ["failed"]), 0)
                attempts = self.finished_exactly(farm, 1, 80)
                self.assertEqual(attempts[0], 2)
                self.assertNotIn("checkpointed", [row[0] for row in self.events(farm, 0)])
                farm.close()

    def test_damaged_and_lost_checkpoints(self):
        for what, word in (("damage", "changed"), ("remove", "absent")):
            with self.subTest(what):
                farm = self.farm_with(interruptible("s", 1, ask="line", steps=30))
                self.assertEqual(farm.kill("worker1", signal.SIGTERM), 0)
                found = glob.glob(os.path.join(farm.shared, "*", "s", "0", "1"))
                self.assertEqual(len(found), 1)
                if what == "damage":
                    with open(os.path.join(found[0], "state.json"), "a") as f:
                        f.write(" ")
                else:
                    shutil.rmtree(found[0])
                self.second(farm)
                self.assertEqual(self.finished_exactly(farm, 1, 30), {0: 2})
                self.assertIn(f"RESUME-REFUSED study=1 trial=0 attempt=2 checkpoint={word}", farm.log("worker2"))
                reported = [row[2] for row in self.events(farm, 0) if row[0] == "reported" and row[1] == 2]
                self.assertEqual(reported[0], 1)
                farm.close()

    def test_checkpoints_go_when_the_trial_is_over(self):
        farm = self.leaves(interruptible("s", 2, ask="line"),
                           lambda f: f.processes["worker1"].send_signal(signal.SIGTERM))
        self.assertEqual(glob.glob(os.path.join(farm.shared, "*", "s", "0", "*")), [])

    def test_pause_keeps_the_work(self):
        farm = self.farm_with(interruptible("s", 1, ask="line"))
        farm.tunefarm("pause", "s", "0")
        farm.wait(lambda: farm.count("s", ["paused"]) == 1, "the paused trial")
        farm.tunefarm("resume", "s", "0")
        self.assertEqual(self.finished_exactly(farm, 1, 40), {0: 2})
        self.resumed_at_the_right_step(farm)

    def test_run_interrupted(self):
        """Ctrl-C on tunefarm run has the trials write checkpoints; the same command goes on from them."""
        farm = self.farm()
        folder = os.path.dirname(farm.write_study(interruptible("s", 1, ask="line")))
        for source in (os.path.join(HERE, "interruptible.py"), HELPER):
            shutil.copy(source, folder)
        command = [os.path.join(os.environ["TUNEFARM_BIN"], "tunefarm"), "run", "study.yaml", "--json"]
        run = subprocess.Popen(command, cwd=folder, env=farm.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def began():
            done = farm.tunefarm("sql", "--json", "select 1 as x from report where step >= 4", broker=False, cwd=folder, check=False)
            return done.stdout.strip()
        farm.wait(began, "the run")
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(60), 130)
        self.assertEqual(subprocess.run(command, cwd=folder, env=farm.env, capture_output=True, timeout=120).returncode, 0)
        farm.db = os.path.join(folder, "s.tunefarm.db")
        self.resumed_at_the_right_step(farm)
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        row = con.execute("select state, attempt, crashes, lost, loss, json_extract(params, '$.x') from trial").fetchone()
        con.close()
        self.assertEqual(row[:4], ("complete", 2, 0, 0))
        self.assertEqual(row[4], loss_after(row[5], 40))


if __name__ == "__main__":
    unittest.main(verbosity=2)
