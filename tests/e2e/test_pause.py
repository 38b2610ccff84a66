"""Pausing and resuming, studies and trials, on real processes; a pause outlives the broker."""
import json
import os
import subprocess
import time
import unittest

from farm import BIN, PATIENCE, FarmTest, study

SLOW_TRIALS = ["--steps", "5", "--sleep-ms", "60"]


class Pause(FarmTest):
    def state(self, farm, name):
        return farm.sql(f"select state from study where name = '{name}'")[0]["state"]

    def answer(self, farm, *args):
        return json.loads(farm.tunefarm(*args, "--json").stdout)

    def test_study_is_paused_over_a_broker_kill(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 12, SLOW_TRIALS))
        farm.wait_trials("s", 3)
        self.assertEqual(self.answer(farm, "pause", "s"), {"paused": True, "state": "paused"})
        self.assertEqual(self.state(farm, "s"), "paused")
        self.assertIn("paused", farm.tunefarm("ls").stdout)
        farm.wait(lambda: farm.count("s", ["leased", "running"]) == 0, "the running trials' end")
        started = farm.sql("select sum(attempt) as n from trial")[0]["n"]
        self.assertLess(started, 12)
        farm.kill("broker")
        farm.broker()
        farm.wait(lambda: farm.sql("select count(*) as n from worker where state = 'ready'")[0]["n"], "the worker")
        time.sleep(1)  # nothing can be waited for: something must not happen
        self.assertEqual(self.state(farm, "s"), "paused")
        self.assertEqual(farm.sql("select sum(attempt) as n from trial")[0]["n"], started)
        self.assertEqual(farm.tunefarm("resume", "s").stdout, "s is resumed\n")
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 12), {"complete": 12})

    def test_trial_is_paused_and_goes_on(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 4, ["--steps", "30", "--sleep-ms", "100"]))
        farm.wait(lambda: farm.sql("select state from trial where number = 0 and state = 'running'"), "trial 0")
        self.assertEqual(farm.tunefarm("pause", "s", "0").stdout, "trial 0 of s is being stopped, and is paused then\n")
        farm.wait(lambda: farm.count("s", ["paused"]) == 1, "the paused trial")
        farm.wait_trials("s", 3)
        self.assertEqual(self.state(farm, "s"), "closed")  # its rule has fired; it waits for the trial
        self.assertEqual(self.answer(farm, "resume", "s", "0"), {"resumed": True, "state": "queued"})
        farm.wait_ended("s")
        row = farm.sql("select attempt, crashes, state from trial where number = 0")[0]
        self.assertEqual(row, {"attempt": 2, "crashes": 0, "state": "complete"})
        refused = farm.tunefarm("pause", "s", "0", check=False)
        self.assertEqual(refused.returncode, 4)
        self.assertIn("trial 0 of study s is complete", refused.stderr)
        self.assertEqual(farm.tunefarm("resume", "s", check=False).returncode, 4)
        farm.stop()
        self.assert_all_once(farm, "s", 4)

    def test_run_shows_the_pause_and_run_again_ends_it(self):
        farm = self.farm()
        path = farm.write_study(study("s", 8, SLOW_TRIALS))
        db = os.path.join(farm.dir, "s.tunefarm.db")

        def run():
            return subprocess.Popen([os.path.join(BIN, "tunefarm"), "run", path, "--slots", "1"], cwd=farm.dir,
                                    env=farm.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

        def paused():
            return farm.tunefarm("pause", "s", "--db", db, check=False, broker=False).returncode == 0
        first = run()
        try:
            farm.wait(paused, "the study to be paused")
            said = "s is paused; `tunefarm resume s` lets it go on\n"
            self.assertIn(said, iter(first.stdout.readline, ""))
        finally:
            first.terminate()
            first.communicate(timeout=PATIENCE)
        again = run()
        out, _ = again.communicate(timeout=PATIENCE)
        self.assertEqual(again.returncode, 0, out)
        self.assertIn("8 complete", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
