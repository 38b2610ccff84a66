"""A broker restarted under live trials, workers that are cut off and return, and what a killed worker left on its disk:
no evaluator is started twice for nothing, every result counts once, and what counts no longer is kept for people."""
import collections
import glob
import json
import os
import shutil
import signal
import sqlite3
import struct
import time
import unittest

from farm import FarmTest, study

LEASE = 3  # seconds
QUICK = ["--lease-ttl", f"{LEASE}s", "--beat", "500ms", "--restart-grace", "6s"]
CHECKPOINT, FINAL = 20, 21


def spooled(root):
    """Kinds of the frames in the spools under a worker's root, and how many."""
    kinds = collections.Counter()
    for path in glob.glob(os.path.join(root, "spool", "*.spool")):
        with open(path, "rb") as f:
            data = f.read()
        while len(data) >= 40:
            kinds[data[5]] += 1
            data = data[40 + struct.unpack(">I", data[32:36])[0]:]
    return kinds


class Spool(FarmTest):
    def begin(self, trials, steps, slots=None, served=False, step_ms=1000, retries=0):
        """A farm whose worker runs all trials at once, each of so many steps of a second."""
        farm = self.farm(QUICK).all(slots=slots or trials)
        args = ["--steps", str(steps), "--sleep-ms", str(step_ms), "--touch", farm.dir]
        farm.submit(study("s", trials, args + (["--served"] if served else []), objective={"serve": served}))
        farm.wait(lambda: len(self.runs(farm)) >= trials, "the evaluators")
        return farm

    def runs(self, farm):
        """[trial, attempt] of every start of an evaluator."""
        try:
            with open(os.path.join(farm.dir, "runs")) as f:
                return [line.split()[:2] for line in f]
        except FileNotFoundError:
            return []

    def root(self, farm, number=1):
        return os.path.join(farm.dir, f"w{number}")

    def orphans(self, farm, number=1):
        try:
            with open(os.path.join(self.root(farm, number), "orphans", "results.jsonl")) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def ends(self, farm, trials, attempts):
        """After the end of the study: every trial complete, by that attempt; nothing is left in the spools."""
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", trials), {"complete": trials})
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        found = [a for (a,) in con.execute("select attempt from trial order by number")]
        con.close()
        self.assertEqual(found, attempts)
        self.assertEqual(sum(spooled(self.root(farm)).values()), 0)

    def steps(self, farm):
        """Steps recorded of each trial, over all its attempts."""
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        found = collections.defaultdict(list)
        for trial, step in con.execute("select trial, step from event where kind = 'reported' order by seq"):
            found[trial].append(step)
        con.close()
        return dict(found)

    def broker_away(self, served):
        farm = self.begin(3, 9, served=served)
        farm.kill("broker")
        time.sleep(2 * LEASE)
        farm.broker()
        self.ends(farm, 3, [1, 1, 1])
        self.assertEqual(sorted(self.runs(farm)), [["0", "1"], ["1", "1"], ["2", "1"]])
        self.assertEqual(self.steps(farm), {t: list(range(1, 10)) for t in range(3)})

    def test_broker_away_for_longer_than_the_lease(self):
        self.broker_away(served=False)

    def test_broker_away_from_served_evaluators(self):
        self.broker_away(served=True)

    def test_results_that_came_while_the_broker_was_away(self):
        """The evaluators end without a broker; their results wait in memory and in the spool."""
        farm = self.begin(2, 2)
        farm.kill("broker")
        farm.wait(lambda: spooled(self.root(farm))[FINAL] == 2, "spooled results")
        farm.broker()
        self.ends(farm, 2, [1, 1])
        self.assertEqual(len(self.runs(farm)), 2)
        self.assertEqual(self.steps(farm), {0: [1, 2], 1: [1, 2]})

    def kill_both(self, trials=2):
        """Broker and worker are killed after the results were spooled."""
        farm = self.begin(trials, 2)
        farm.kill("broker")
        farm.wait(lambda: spooled(self.root(farm))[FINAL] == trials, "spooled results")
        farm.kill("worker1")
        return farm

    def test_broker_and_worker_killed(self):
        farm = self.kill_both()
        farm.broker()
        farm.worker(1, 2)
        self.ends(farm, 2, [1, 1])
        self.assertEqual(len(self.runs(farm)), 2, "a trial ran again")
        self.assertEqual(self.steps(farm), {0: [1, 2], 1: [1, 2]})
        self.assertIn("WORKER-RESTORED", farm.log("worker1"))
        self.assertEqual(self.orphans(farm), [])

    def test_worker_killed_again_and_again(self):
        """What was taken over is taken over once more: the broker is away all the while."""
        farm = self.kill_both()
        farm.broker()
        farm.processes["broker"].send_signal(signal.SIGSTOP)
        farm.worker(1, 2)
        time.sleep(0.5)
        farm.kill("worker1")
        self.assertEqual(spooled(self.root(farm))[FINAL], 2)
        farm.processes["broker"].send_signal(signal.SIGCONT)
        farm.worker(1, 2)
        self.ends(farm, 2, [1, 1])
        self.assertEqual(len(self.runs(farm)), 2)

    def test_successor_comes_after_the_lease(self):
        """Expired and not granted again: adopted under the next number."""
        farm = self.kill_both()
        farm.broker()
        farm.wait(lambda: farm.count("s", ["queued"]) == 2, "the end of the leases")
        farm.worker(1, 2)
        self.ends(farm, 2, [2, 2])
        self.assertEqual(len(self.runs(farm)), 2, "a trial ran again")
        self.assertEqual(self.steps(farm), {0: [1, 2], 1: [1, 2]})

    def test_successor_comes_after_a_new_grant(self):
        farm = self.kill_both()
        farm.broker()
        farm.worker(2, 2)
        farm.wait_trials("s", 2)
        farm.worker(1, 2)
        orphans = farm.wait(lambda: len(self.orphans(farm)) == 2 and self.orphans(farm), "orphaned results")
        self.ends(farm, 2, [2, 2])
        self.assertEqual(sorted(o["trial"] for o in orphans), [0, 1])
        for o in orphans:
            self.assertEqual((o["study"], o["attempt"], o["status"], o["last_step"]), ("s", 1, "ok", 2))
            self.assertIn(o["why"], ("superseded", "finished"))

    def test_worker_killed_under_a_living_broker(self):
        """The broker stands still, so that the results are spooled; its successor is there before the lease ends."""
        farm = self.begin(2, 2)
        farm.processes["broker"].send_signal(signal.SIGSTOP)
        farm.wait(lambda: spooled(self.root(farm))[FINAL] == 2, "spooled results")
        farm.kill("worker1")
        farm.processes["broker"].send_signal(signal.SIGCONT)
        farm.worker(1, 2)
        farm.wait_ended("s")
        attempts = [r["attempt"] for r in farm.sql("select attempt from trial order by number")]
        self.ends(farm, 2, attempts)
        self.assertEqual(len(self.runs(farm)), 2, "a trial ran again")

    def test_cut_off_for_a_moment(self):
        """Back before the lease ends: the same attempt goes on."""
        farm = self.begin(2, 4)
        farm.processes["worker1"].send_signal(signal.SIGSTOP)
        time.sleep(LEASE / 3)
        farm.processes["worker1"].send_signal(signal.SIGCONT)
        self.ends(farm, 2, [1, 1])
        self.assertEqual(len(self.runs(farm)), 2)
        self.assertEqual(self.steps(farm), {t: list(range(1, 5)) for t in range(2)})

    def test_cut_off_and_adopted(self):
        """Silent for longer than the lease while its trials wait in line: they go on where they are, with their
        backlog."""
        farm = self.begin(2, 9)
        farm.processes["worker1"].send_signal(signal.SIGSTOP)
        farm.wait(lambda: farm.count("s", ["queued"]) == 2, "the end of the leases")
        farm.processes["worker1"].send_signal(signal.SIGCONT)
        self.ends(farm, 2, [2, 2])
        self.assertEqual(len(self.runs(farm)), 2, "a trial ran again")
        self.assertEqual(self.steps(farm), {t: list(range(1, 10)) for t in range(2)})

    def test_cut_off_and_superseded(self):
        """Granted again meanwhile: the result of the first attempt is an orphan, and no part of the study."""
        farm = self.begin(1, 3)
        farm.processes["worker1"].send_signal(signal.SIGSTOP)
        farm.worker(2, 1)
        farm.wait(lambda: len(self.runs(farm)) == 2, "the second attempt")
        farm.processes["worker1"].send_signal(signal.SIGCONT)
        orphans = farm.wait(lambda: self.orphans(farm), "the orphaned result")
        self.ends(farm, 1, [2])
        self.assertEqual([(o["trial"], o["attempt"], o["why"]) for o in orphans], [(0, 1, "superseded")])
        self.assertIn("superseded", farm.log("worker1"))

    def test_draining_without_a_broker(self):
        """A worker that leaves while the broker is away leaves its results to the next one."""
        farm = self.begin(1, 2)
        farm.kill("broker")
        self.assertEqual(farm.kill("worker1", signal.SIGTERM), 0)
        self.assertEqual(spooled(self.root(farm))[FINAL], 1)
        farm.broker()
        farm.worker(1, 1)
        self.ends(farm, 1, [1])
        self.assertEqual(len(self.runs(farm)), 1)

    def test_spool_that_cannot_be_written(self):
        """One warning; the trial goes on, its result waits in memory; the spool is used again once it can be."""
        farm = self.begin(2, 2)
        folder = os.path.join(self.root(farm), "spool")
        shutil.rmtree(folder)
        with open(folder, "w"):
            pass
        farm.kill("broker")
        farm.wait(lambda: "SPOOL-FAILED" in farm.log("worker1"), "the warning")
        time.sleep(6)
        os.remove(folder)
        os.mkdir(folder, 0o700)
        farm.wait(lambda: spooled(self.root(farm))[FINAL] == 2, "spooled results")
        farm.broker()
        self.ends(farm, 2, [1, 1])
        self.assertEqual(farm.log("worker1").count("SPOOL-FAILED"), 1)
        self.assertEqual(len(self.runs(farm)), 2)

    def test_damaged_and_foreign_spools(self):
        """Each is refused with a sentence and set aside; what was good before the damage counts."""
        farm = self.kill_both()
        folder = os.path.join(self.root(farm), "spool")
        (good,) = glob.glob(os.path.join(folder, "*.spool"))
        with open(good, "rb") as f:
            data = f.read()
        wrong = {"0" * 32: b"no spool", "1" * 32: data[:-1],
                 "2" * 32: data[:300] + bytes([data[300] ^ 1]) + data[301:]}
        for name, text in wrong.items():
            with open(os.path.join(folder, name + ".spool"), "wb") as f:
                f.write(text)
        os.symlink("/etc/passwd", os.path.join(folder, "3" * 32 + ".spool"))
        farm.broker()
        farm.worker(1, 2)
        self.ends(farm, 2, [1, 1])
        self.assertEqual(len(self.runs(farm)), 2)
        self.assertEqual(farm.log("worker1").count("SPOOL-REFUSED"), 4)
        left = sorted(os.listdir(folder))
        self.assertEqual(left, [".lock", "0" * 32 + ".bad", "1" * 32 + ".torn", left[3], "3" * 32 + ".bad"])
        self.assertIn(left[3], ("2" * 32 + ".torn", "2" * 32 + ".bad"))

    def test_spool_of_another_farm(self):
        farm, other = self.kill_both(), self.farm(QUICK)
        shutil.move(self.root(farm), self.root(other))
        other.all(slots=2)
        other.submit(study("s", 2, ["--steps", "1"]))
        other.wait_ended("s")
        self.assertIn("another farm", other.log("worker1"))
        other.stop()
        self.assertEqual(self.assert_all_once(other, "s", 2), {"complete": 2})
        self.assertEqual([n for n in os.listdir(os.path.join(self.root(other), "spool")) if n.endswith(".foreign")],
                         [n for n in os.listdir(os.path.join(self.root(other), "spool")) if n != ".lock"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
