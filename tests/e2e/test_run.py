"""The command line as a person uses it: `tunefarm run` and the commands that read."""
import csv
import io
import json
import os
import signal
import subprocess
import time
import unittest

from farm import BIN, FarmTest, PATIENCE, study


class Run(FarmTest):
    def last_object(self, text):
        return json.loads(text.strip().splitlines()[-1])

    def test_run_ends_with_the_best_trial(self):
        farm = self.farm()
        path = farm.write_study(study("s", 25, ["--steps", "2"]))
        done = farm.tunefarm("run", "--json", "--slots", "3", path, broker=False)
        last = self.last_object(done.stdout)
        self.assertEqual(last["study"], "s")
        self.assertEqual(last["trials"]["complete"], 25)
        self.assertAlmostEqual(last["best"]["loss"], (last["best"]["params"]["x"] - 0.3) ** 2, places=12)
        for line in done.stdout.splitlines():
            json.loads(line)
        again = farm.tunefarm("run", "--json", path, broker=False)
        self.assertEqual(self.last_object(again.stdout)["best"], last["best"])
        best = json.loads(farm.tunefarm("best", "s", "--json", broker=False).stdout.strip().splitlines()[0])
        self.assertEqual(best["loss"], last["best"]["loss"])

    def test_pipe_is_quiet(self):
        farm = self.farm()
        path = farm.write_study(study("s", 20, []))
        done = farm.tunefarm("run", path, broker=False)
        self.assertLess(len(done.stdout.splitlines()), 25)
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_interrupted_and_continued(self):
        farm = self.farm()
        path = farm.write_study(study("s", 30, ["--steps", "4", "--sleep-ms", "50"]))
        process = subprocess.Popen([os.path.join(BIN, "tunefarm"), "run", "--json", "--slots", "2", path],
                                   cwd=farm.dir, env=farm.env, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if "improve" in line or "finished" in line or "complete" in line:
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        self.assertEqual(process.wait(PATIENCE), 130)
        done = farm.tunefarm("run", "--json", "--slots", "2", path, broker=False)
        self.assertEqual(self.last_object(done.stdout)["trials"]["complete"], 30)
        farm.db = os.path.join(farm.dir, "s.tunefarm.db")
        self.assert_all_once(farm, "s", 30)

    def test_run_killed_leaves_nothing_behind(self):
        farm = self.farm()
        path = farm.write_study(study("s", 500, ["--steps", "100", "--sleep-ms", "50"]))
        process = subprocess.Popen([os.path.join(BIN, "tunefarm"), "run", "--slots", "2", path], cwd=farm.dir,
                                   env=farm.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        def daemons():
            found = subprocess.run(["pgrep", "-f", farm.dir], capture_output=True, text=True).stdout.split()
            return [p for p in found if int(p) != process.pid]
        farm.wait(lambda: len(daemons()) >= 3, "the embedded farm")
        time.sleep(1)
        process.kill()
        process.wait()
        farm.wait(lambda: not daemons(), "the embedded farm to end with its parent")
        done = farm.tunefarm("run", "--json", "--trials", "5", "--slots", "2",
                             farm.write_study(study("t", 5, [])), broker=False)
        self.assertEqual(self.last_object(done.stdout)["trials"]["complete"], 5)

    def test_inline_form(self):
        farm = self.farm()
        with open(os.path.join(farm.dir, "f.sh"), "w") as f:
            f.write('#!/bin/sh\n"$TUNEFARM" report --loss "$2"\n')
        os.chmod(os.path.join(farm.dir, "f.sh"), 0o755)
        farm.env["TUNEFARM"] = os.path.join(BIN, "tunefarm")
        done = farm.tunefarm("run", "--json", "-n", "short", "--trials", "12", "--", "sh", os.path.join(farm.dir, "f.sh"),
                             "--lr~loguniform(1e-5, 1)", "--act~choice(relu, tanh)", broker=False)
        best = self.last_object(done.stdout)["best"]
        self.assertEqual(best["loss"], best["params"]["lr"])
        self.assertIn(best["params"]["act"], ("relu", "tanh"))

    def test_more_trials_continue_a_finished_study(self):
        farm = self.farm()
        path = farm.write_study(study("s", 10, []))
        farm.tunefarm("run", path, broker=False)
        done = farm.tunefarm("run", "--json", "--trials", "15", path, broker=False)
        self.assertEqual(self.last_object(done.stdout)["trials"]["complete"], 15)

    def test_changed_space_is_refused_with_the_difference(self):
        farm = self.farm()
        farm.tunefarm("run", farm.write_study(study("s", 5, [])), broker=False)
        changed = farm.write_study(study("s", 5, [], space={"x": {"float": [0, 2]}}))
        done = farm.tunefarm("run", changed, broker=False, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("space.x", done.stderr)
        edited = farm.tunefarm("run", "--edit", "--trials", "8", "--json", changed, broker=False)
        self.assertEqual(self.last_object(edited.stdout)["trials"]["complete"], 8)

    def shell_study(self, farm, name, lines, trials=3, **objective):
        spec = study(name, trials, [])
        spec["objective"] = {"command": ["sh", "trial.sh"], "files": ["trial.sh"], **objective}
        spec["retries"] = 0
        path = farm.write_study(spec)
        with open(os.path.join(os.path.dirname(path), "trial.sh"), "w") as f:
            f.write("\n".join(lines) + "\n")
        return path

    def test_failures_are_told_line_by_line(self):
        farm = self.farm()
        path = self.shell_study(farm, "s", ["echo 'Traceback:' >&2", "echo '  ValueError: bad' >&2", "exit 1"], 30)
        done = farm.tunefarm("run", path, broker=False, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"the first \d+ trials failed")
        self.assertIn("Traceback:\n      ValueError: bad\n", done.stderr)
        self.assertNotIn("once more", done.stderr)

    def test_failures_beside_a_trial_that_reports_end_nothing(self):
        farm = self.farm()
        path = self.shell_study(farm, "s", [
            'if [ "$TUNEFARM_TRIAL" -lt 5 ]; then while ! [ -e ../flag ]; do sleep 0.1; done; exit 1; fi',
            """echo '{"step": 1, "loss": 3}' >&"$TUNEFARM_FD"; sleep 1; touch ../flag; sleep 2""",
            """echo '{"loss": 2}' >&"$TUNEFARM_FD" """], 6)
        done = farm.tunefarm("run", "--json", "--slots", "6", path, broker=False)
        self.assertEqual(self.last_object(done.stdout)["trials"], {"complete": 1, "pruned": 0, "failed": 5, "cancelled": 0})

    def test_a_misspelt_metric_is_named(self):
        farm = self.farm()
        path = self.shell_study(farm, "s", ["""echo '{"los": 3}' >&"$TUNEFARM_FD" """])
        done = farm.tunefarm("run", path, broker=False, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('without reporting "loss"; it reported "los"', done.stderr)
        db = ["--db", os.path.join(farm.dir, "s.tunefarm.db")]
        self.assertIn("trial 0 printed nothing", farm.tunefarm("logs", "s", "0", *db, broker=False).stderr)
        done = farm.tunefarm("logs", "s", "3", *db, broker=False, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("s has no trial 3; it has 3, counted from 0", done.stderr)

    def test_a_file_that_is_not_brought_is_named(self):
        farm = self.farm()
        path = self.shell_study(farm, "s", ["exit 0"], files=[])
        done = farm.tunefarm("run", path, broker=False, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("objective.files does not name trial.sh", done.stderr)

    def test_the_metric_has_its_name(self):
        farm = self.farm()
        path = self.shell_study(farm, "s", ["""echo '{"acc": 0.5}' >&"$TUNEFARM_FD" """], metric="acc",
                                direction="maximize")
        done = farm.tunefarm("run", path, broker=False)
        self.assertIn("  acc 0.5  (1 of 3)", done.stdout)
        self.assertRegex(done.stdout.splitlines()[-1], r"best trial \d+  acc 0.5  x=")

    def test_null_is_no_inactive_parameter(self):
        farm = self.farm()
        spec = study("s", 12, [], space={"x": {"float": [0, 1]}, "max_depth": {"choice": [None, 3]},
                                         "opt": {"choice": [{"sgd": {"m": {"choice": [None, 0.9]}}}, "adam"]}})
        farm.tunefarm("run", farm.write_study(spec), broker=False)
        text = farm.tunefarm("export", "s", broker=False).stdout
        seen = {(row["opt"], row["max_depth"], row["opt.sgd.m"]) for row in csv.DictReader(io.StringIO(text))}
        self.assertEqual({depth for _, depth, _ in seen}, {"null", "3"})
        self.assertEqual({m for opt, _, m in seen if opt == "sgd"}, {"null", "0.9"})
        self.assertEqual({m for opt, _, m in seen if opt == "adam"}, {""})

    def test_reading_commands(self):
        farm = self.farm()
        spec = study("s", 12, ["--steps", "2"])
        farm.tunefarm("run", farm.write_study(spec), broker=False)
        db = ["--db", os.path.join(farm.dir, "s.tunefarm.db")]
        self.assertIn("s", farm.tunefarm("ls", *db, broker=False).stdout)
        self.assertIn("complete", farm.tunefarm("show", "s", *db, broker=False).stdout)
        self.assertIn("x", farm.tunefarm("show", "s", "0", *db, broker=False).stdout)
        rows = list(csv.DictReader(io.StringIO(farm.tunefarm("export", "s", "--format", "csv", *db, broker=False).stdout)))
        self.assertEqual(len(rows), 12)
        lines = farm.tunefarm("export", "s", "--format", "jsonl", *db, broker=False).stdout.splitlines()
        objects = [json.loads(line) for line in lines]
        self.assertEqual(len(objects), 12)
        best = min(objects, key=lambda o: o["loss"])
        shown = json.loads(farm.tunefarm("best", "s", "--json", *db, broker=False).stdout.strip().splitlines()[0])
        self.assertEqual(shown["loss"], best["loss"])
        self.assertEqual(float(min(rows, key=lambda r: float(r["loss"]))["loss"]), best["loss"])
        out = farm.tunefarm("sql", "--json", "select count(*) as n from trial", *db, broker=False).stdout
        self.assertEqual(json.loads(out), {"n": 12})


if __name__ == "__main__":
    unittest.main(verbosity=2)
