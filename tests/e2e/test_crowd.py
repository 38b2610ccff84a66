"""bench-crowd, small: its workers are workers as any other, so what it counts is what the journal holds. No speed is asserted."""
import json
import os
import subprocess
import unittest

from farm import BIN, PATIENCE, FarmTest, study

WORKERS = 50


class Crowd(FarmTest):
    def crowd(self, farm, *args):
        """Runs beside the farm; a function that says one line and gives its answer."""
        process = subprocess.Popen([os.path.join(BIN, "bench-crowd"), "--workers", str(WORKERS), "--processes", "2",
                                    "--patience", f"{PATIENCE}s", *args, farm.listen],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def end():
            process.stdin.close()
            process.stdout.close()
            self.assertEqual(process.wait(PATIENCE), 0)

        def tell(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        self.addCleanup(end)
        return tell

    def begin(self, trials):
        farm = self.farm()
        farm.broker()
        farm.optimizer()
        farm.submit(study("s", trials, [], sampler={"name": "random"}, objective={"resources": {"cpu": 0}}))
        return farm

    def test_reports_are_counted_and_trials_outlive_the_broker(self):
        farm = self.begin(1000)
        tell = self.crowd(farm, "--rate", "10", "--batch", "2")
        self.assertEqual(tell("run"), {"workers": WORKERS})
        got = tell("measure 3")
        self.assertEqual((got["acked"], got["refused"], got["gaps"]), (got["sent"], 0, 0), got)
        self.assertGreater(got["sent"], 0)
        self.assertLessEqual(got["p50_us"], got["p99_us"])
        self.assertLessEqual(got["p99_us"], got["max_us"])
        farm.kill("broker")
        farm.broker()
        back = tell("rejoin")
        self.assertEqual((back["kept"], back["dropped"]), (WORKERS, 0))
        got = tell("measure 1")
        self.assertEqual((got["acked"], got["gaps"]), (got["sent"], 0), got)
        attempts = farm.sql("select count(*) as n, max(attempt) as last from trial where state = 'running'")[0]
        self.assertEqual(attempts, {"n": WORKERS, "last": 1})
        reports = farm.sql("select count(*) as n, count(distinct number * 1000000 + step) as steps, "
                           "count(distinct number) as trials from report")[0]
        self.assertEqual(reports["n"], reports["steps"])
        self.assertEqual(reports["trials"], WORKERS)

    def test_trials_that_end(self):
        farm = self.begin(200)
        tell = self.crowd(farm, "--rate", "50", "--steps", "5")
        farm.wait_ended("s")
        got = tell("measure 0.2")
        self.assertEqual((got["finals"], got["refused"], got["gaps"]), (200, 0, 0), got)
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 200), {"complete": 200})


if __name__ == "__main__":
    unittest.main()
