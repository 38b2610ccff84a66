"""Every process killed with SIGKILL in the middle of a study: the study ends with every trial finished exactly once."""
import contextlib
import os
import signal
import subprocess
import time
import unittest

from farm import FarmTest, study

# Short leases, so that a lost worker is noticed soon; the machine may still be slow.
QUICK = ["--lease-ttl", "6s", "--beat", "1s", "--restart-grace", "8s"]
SLOW_TRIALS = ["--steps", "5", "--sleep-ms", "60"]


class Recovery(FarmTest):
    def test_broker_killed(self):
        farm = self.farm(QUICK).all(slots=4)
        farm.submit(study("s", 40, SLOW_TRIALS + ["--touch", farm.dir]))
        for _ in range(3):
            before = farm.count("s", ["complete"])
            farm.kill("broker")
            time.sleep(0.5)
            farm.broker()
            farm.wait_trials("s", min(before + 6, 40))
        farm.wait_ended("s")
        farm.stop()
        states = self.assert_all_once(farm, "s", 40)
        self.assertEqual(states, {"complete": 40})
        with open(os.path.join(farm.dir, "runs")) as f:
            runs = [line.split()[:2] for line in f]
        self.assertEqual(len(runs), len({tuple(r) for r in runs}), "an attempt was started twice")
        self.assertLessEqual(len(runs), 44, "a broker restart interrupted running evaluators")

    def test_worker_killed(self):
        farm = self.farm(QUICK).all(slots=4)
        farm.worker(2, 2)
        farm.submit(study("s", 30, SLOW_TRIALS))
        farm.wait_trials("s", 4)
        farm.kill("worker1")
        farm.wait_trials("s", 8)
        farm.worker(3, 3)
        farm.wait_trials("s", 16)
        farm.kill("worker2")
        farm.wait_ended("s")
        lost = farm.sql("select sum(lost) as n from trial")[0]["n"]
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 30), {"complete": 30})
        self.assertGreaterEqual(lost, 1)

    def test_broker_ended_on_a_full_disk(self):
        farm = self.farm(["--ballast", "0"])
        disk = os.path.join(farm.dir, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], capture_output=True).returncode:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        farm.db = os.path.join(disk, "farm.db")
        broker = farm.broker()
        filler = os.path.join(disk, "filler")
        with open(filler, "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while f.write(b"x" * 4096):
                    pass
        stored = 0
        while not farm.tunefarm("submit", farm.write_study(study(f"s{stored}", 1, [], enqueue=[{"x": 0.5}] * 200)), check=False).returncode:
            stored += 1
        broker.send_signal(signal.SIGTERM)
        self.assertIsNotNone(broker.wait(60))
        os.unlink(filler)
        farm.broker()
        names = {r["name"] for r in farm.sql("select name from study")}
        self.assertGreaterEqual(names, {f"s{i}" for i in range(stored)}, "what was acknowledged is not there")

    def test_optimizer_killed(self):
        farm = self.farm(QUICK).all(slots=2)
        farm.submit(study("s", 40, SLOW_TRIALS))
        for n in (5, 15, 25):
            farm.wait_trials("s", n)
            farm.kill("optimizer")
            farm.optimizer()
        farm.wait_ended("s")
        draws = [r["draw"] for r in farm.sql("select draw from trial order by number")]
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 40), {"complete": 40})
        self.assertEqual(draws, list(range(40)))

    def test_everything_killed(self):
        farm = self.farm(QUICK).all(slots=3)
        farm.submit(study("s", 24, SLOW_TRIALS))
        farm.wait_trials("s", 5)
        for name in ("worker1", "broker", "optimizer"):
            farm.kill(name)
        farm.all(slots=3)
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 24), {"complete": 24})

    def test_worker_frozen_and_back(self):
        """A worker that stands still beyond its lease and comes back: nothing is counted twice."""
        farm = self.farm(QUICK).all(slots=3)
        farm.submit(study("s", 24, SLOW_TRIALS))
        farm.wait_trials("s", 3)
        farm.worker(2, 2)
        farm.processes["worker1"].send_signal(signal.SIGSTOP)
        time.sleep(9)
        farm.processes["worker1"].send_signal(signal.SIGCONT)
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 24), {"complete": 24})

    def test_same_proposals_after_an_optimizer_kill(self):
        """One slot: the proposals of a study whose optimizer is killed are those of one whose optimizer lives."""
        points = []
        for kill in (False, True):
            farm = self.farm(QUICK).all(slots=1)
            farm.submit(study("s", 30, ["--steps", "1", "--sleep-ms", "20"]))
            if kill:
                farm.wait_trials("s", 22)
                farm.kill("optimizer")
                farm.optimizer()
            farm.wait_ended("s")
            points.append([r["params"] for r in farm.sql("select params from trial order by number")])
            farm.stop()
        self.assertEqual(points[0], points[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
