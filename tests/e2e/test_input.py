"""Bad input of every kind: one sentence that says what, where and what was expected, and the right exit status."""
import os
import socket
import sqlite3
import subprocess
import unittest

from farm import BIN, PATIENCE, FarmTest, study


class BadInput(FarmTest):
    def refused(self, farm, status, words, *args, **kw):
        done = farm.tunefarm(*args, check=False, **kw)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertLessEqual(len(done.stderr.strip().splitlines()), 6, done.stderr)
        return done

    def write(self, farm, text, name="bad.yaml"):
        path = os.path.join(farm.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_commands(self):
        farm = self.farm()
        self.refused(farm, 2, ["rnu", "run"], "rnu", broker=False)
        self.refused(farm, 2, ["--slotz", "slots"], "run", "--slotz", "3", "x.yaml", broker=False)
        self.refused(farm, 2, ["slots"], "run", "--slots", "many", "x.yaml", broker=False)
        self.refused(farm, 2, ["nowhere.yaml"], "run", os.path.join(farm.dir, "nowhere.yaml"), broker=False)

    def test_study_files(self):
        farm = self.farm()
        head = "study: s\nobjective: {command: [./f, '{x}'], metric: loss}\n"
        cases = [
            ("study: s\nspace: {x: {float: [0, 1]}\n", ["bad.yaml:"]),
            (head + "space:\n  x: {float: [1, 0]}\n", ["bad.yaml:4:", "space.x"]),
            (head + "space:\n  x: {float: [0, 1], log: true}\n", ["bad.yaml:4:", "space.x"]),
            (head + "space:\n  x: {flaot: [0, 1]}\n", ["bad.yaml:4:", "float"]),
            (head + "space:\n  y: {float: [0, 1]}\n", ["x"]),
            (head + "space:\n  x: {float: [0, 1]}\nsampler: {name: tpee}\n", ["tpe"]),
            (head + "space:\n  x: {float: [0, .nan]}\n", ["space.x"]),
            (head + "space:\n  x: {float: [0, 1]}\n  x: {float: [0, 2]}\n", ["bad.yaml:5:"]),
            ("study: a/b\nobjective: {command: [./f], metric: loss}\nspace: {x: {float: [0, 1]}}\n", ["study"]),
            ("", ["bad.yaml"]),
            ("a: &a [1]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b]\n", ["bad.yaml"]),
        ]
        for text, words in cases:
            with self.subTest(text=text):
                self.refused(farm, 2, words, "run", self.write(farm, text), broker=False)

    def test_missing_files_and_programs(self):
        farm = self.farm()
        spec = study("s", 2, [])
        spec["objective"]["files"] = ["evaluator", "missing.csv"]
        self.refused(farm, 2, ["missing.csv"], "run", farm.write_study(spec), broker=False)

    def test_too_few_open_files(self):
        farm = self.farm()
        broker = ["broker", "--db", farm.db, "--listen", farm.listen]
        optimizer = ["optimizer", "--broker", farm.listen]
        worker = ["worker", "--broker", farm.listen, "--root", os.path.join(farm.dir, "w"), "--slots", "40"]
        for daemon, limit, needed in ((broker, 64, 256), (optimizer, 40, 64), (worker, 200, 224)):
            done = subprocess.run(["sh", "-c", f'ulimit -n {limit}; exec "$0" "$@"', os.path.join(BIN, "tunefarm"), *daemon],
                                  capture_output=True, text=True, timeout=PATIENCE, cwd=farm.dir, env=farm.env)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"{limit} open files are allowed here, at least {needed} are needed", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_metric_that_never_comes(self):
        farm = self.farm()
        spec = study("s", 3, [])
        spec["objective"] = {"command": ["true"], "metric": "loss"}
        done = self.refused(farm, 1, ["loss"], "run", farm.write_study(spec), broker=False)
        self.assertNotIn("Traceback", done.stderr)

    def test_patterns_that_cannot_be_used(self):
        """Said before anything is stored, so that the corrected file is not another search."""
        farm = self.farm().all(slots=1)
        path = farm.write_study(study("s", 3, []))
        for scrape, words in (('{pattern: "loss=(?<loss>"}', ["objective.scrape.pattern", "character 14"]),
                              ('{pattern: "loss=(.*)"}', ["objective.scrape.pattern", "(?<loss>...)"]),
                              ('{pattern: "(?<loss>.*)", step: "(.)"}', ["objective.scrape.step", "(?<step>...)"])):
            with open(path, "w") as f:
                f.write("study: s\nobjective:\n  command: [echo, 'loss=1']\n  metric: loss\n"
                        f"  scrape: {scrape}\nspace:\n  x: {{float: [0, 1]}}\n")
            self.refused(farm, 2, words + [path + ":5"], "submit", path)
            self.refused(farm, 2, words + [path + ":5"], "run", path, broker=False)
        self.assertEqual(farm.sql("select count(*) as n from study")[0]["n"], 0)
        self.assertFalse(os.path.exists(os.path.join(farm.dir, "s.tunefarm.db")))
        farm.stop()

    def test_program_that_does_not_exist(self):
        farm = self.farm()
        spec = study("s", 3, [])
        spec["objective"] = {"command": ["./no-such-program"], "metric": "loss"}
        self.refused(farm, 1, ["no-such-program"], "run", farm.write_study(spec), broker=False)

    def test_nan_loss_is_a_failed_trial(self):
        farm = self.farm().all(slots=1)
        spec = study("s", 3, [])
        folder = os.path.join(farm.dir, "study-s")
        os.makedirs(folder)
        with open(os.path.join(folder, "f.sh"), "w") as f:
            f.write('#!/bin/sh\nprintf \'{"step":1,"loss":NaN}\\n{"loss":NaN}\\n\' >&$TUNEFARM_FD\n')
        spec["objective"] = {"command": ["sh", "f.sh"], "files": ["f.sh"], "metric": "loss"}
        farm.submit(spec)
        farm.wait_ended("s")
        self.assertEqual(farm.count("s", ["failed"]), 3)
        farm.stop()

    def test_no_broker(self):
        farm = self.farm()
        self.refused(farm, 3, ["broker"], "ls", "--broker", "ipc://" + os.path.join(farm.dir, "none"), broker=False)

    def test_unknown_study(self):
        farm = self.farm().all(slots=1)
        farm.submit(study("digits", 2, []))
        self.refused(farm, 4, ["digit", "digits"], "show", "digit")
        self.refused(farm, 4, ["nothing"], "stop", "nothing")
        farm.stop()

    def test_sql_is_read_only(self):
        farm = self.farm()
        farm.broker()
        for query in ("delete from trial_row", "drop table journal", "pragma journal_mode=off",
                      "attach '/tmp/x' as y", "select nonsense from nowhere", ""):
            done = farm.tunefarm("sql", query, check=False)
            self.assertNotEqual(done.returncode, 0, query)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual(farm.sql("select count(*) as n from study")[0]["n"], 0)
        farm.stop()

    def test_databases_that_cannot_be_used(self):
        farm = self.farm()
        with open(farm.db, "wb") as f:
            f.write(b"this is no database" * 100)
        before = open(farm.db, "rb").read()
        with self.assertRaises(AssertionError) as caught:
            farm.broker()
        self.assertIn("farm.db", str(caught.exception))
        self.assertEqual(open(farm.db, "rb").read(), before)
        os.unlink(farm.db)
        farm.broker()
        farm.stop()
        con = sqlite3.connect(farm.db)
        version = con.execute("pragma user_version").fetchone()[0]
        con.execute(f"pragma user_version = {version + 1000}")
        con.commit()
        con.close()
        with self.assertRaises(AssertionError) as caught:
            farm.broker()
        self.assertIn("version", str(caught.exception))

    def test_garbage_on_the_socket(self):
        """Raw bytes on the broker's ipc socket do it no harm; the next client is served."""
        farm = self.farm().all(slots=1)
        path = farm.listen[len("ipc://"):]
        for payload in (b"\x00" * 64, os.urandom(4096), b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 100000):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(path)
            try:
                s.sendall(payload)
            except OSError:
                pass
            s.close()
        farm.submit(study("s", 3, []))
        farm.wait_ended("s")
        farm.stop()

    def test_report_outside_a_trial(self):
        farm = self.farm()
        self.refused(farm, 2, ["TUNEFARM_FD"], "report", "--loss", "1", broker=False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
