"""What the daemons do together: draining, retries, time-outs, served evaluators, scraping, several studies, keys."""
import json
import os
import signal
import sqlite3
import time
import unittest

from farm import EVALUATOR, FarmTest, oracle, study


class Daemons(FarmTest):
    def test_study_runs_to_its_end(self):
        farm = self.farm().all(slots=4)
        farm.submit(study("s", 30, ["--steps", "3"]))
        farm.wait_ended("s")
        row = farm.sql("select * from study where name = 's'")[0]
        self.assertEqual((row["complete"], row["state"], row["direction"]), (30, "ended", "minimize"))
        self.assertLess(row["best_loss"], 0.05)
        reports = farm.sql("select count(*) as n from report where study = 's'")[0]["n"]
        self.assertEqual(reports, 90)
        trial = farm.sql("select * from trial where study = 's' and number = 0")[0]
        self.assertEqual((trial["state"], trial["attempt"], trial["exit_code"]), ("complete", 1, 0))
        self.assertTrue(trial["host"])
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 30), {"complete": 30})

    def test_lists_larger_than_an_answer(self):
        """Parameters of nearly 64 KiB: pages of an export, of why and of replay hold as many trials as have room."""
        farm = self.farm(["--sql-time", "60s"]).all(slots=4)
        space = {f"c{i}": {"choice": [letter * 1000 for letter in "ab"]} for i in range(60)}
        farm.submit(study("s", 200, [], space={"x": {"float": [0, 1]}, **space}))
        farm.wait_ended("s")
        lines = [json.loads(line) for line in farm.tunefarm("export", "s", "--format", "jsonl").stdout.splitlines()]
        self.assertEqual([line["number"] for line in lines], list(range(200)))
        rows = farm.tunefarm("export", "s").stdout.splitlines()
        self.assertEqual(len(rows), 201)
        self.assertGreater(len("".join(rows)), 8 << 20)
        self.assertGreater(json.loads(farm.tunefarm("why", "s", "199", "--json").stdout)["ended"], 190)
        self.assertIn("200 proposals recomputed, all equal", farm.tunefarm("replay", "s").stdout)
        self.assertIn("too large", farm.tunefarm("sql", "select params from trial", check=False).stderr)
        farm.stop()

    def test_nothing_to_print(self):
        farm = self.farm()
        farm.broker()
        farm.submit(study("s", 1, []))
        self.assertEqual(farm.tunefarm("export", "s", "--format", "jsonl").stdout, "")
        self.assertEqual(farm.sql("select * from trial"), [])
        farm.stop()

    def test_drain_gives_trials_back(self):
        farm = self.farm()
        farm.broker()
        farm.optimizer()
        farm.worker(1, 2, "--drain-timeout", "1s")
        farm.submit(study("s", 6, ["--steps", "40", "--sleep-ms", "100"], retries=0))
        farm.wait(lambda: farm.count("s", ["running"]) >= 2, "running trials")
        farm.worker(2, 4)
        self.assertEqual(farm.kill("worker1", signal.SIGTERM), 0)
        farm.wait_ended("s")
        crashes = farm.sql("select sum(crashes) as c, sum(lost) as l, max(attempt) as a from trial")[0]
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 6), {"complete": 6})
        self.assertEqual((crashes["c"], crashes["l"]), (0, 0))
        self.assertEqual(crashes["a"], 2)

    def test_crashes_are_retried_and_then_failed(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 8, ["--fail-over", "0.5"], retries=1, retry_delay="100ms", sampler={"name": "random"}))
        farm.wait_ended("s")
        failed = farm.sql("select * from trial where state = 'failed'")
        self.assertGreater(len(failed), 0)
        for row in failed:
            self.assertEqual((row["attempt"], row["crashes"], row["exit_code"]), (2, 2, 3))
            self.assertIn("x is too large", row["error"])
        farm.stop()
        states = self.assert_all_once(farm, "s", 8)
        self.assertEqual(states["complete"] + states["failed"], 8)

    def test_time_out_kills_what_ignores_sigterm(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 2, ["--steps", "1000", "--sleep-ms", "100", "--ignore-term"], retries=0,
                          objective={"timeout": "1s", "grace": "500ms"}))
        farm.wait_ended("s")
        for row in farm.sql("select * from trial"):
            self.assertEqual(row["state"], "failed")
            self.assertIn("timed out", row["error"])
        farm.stop()

    def test_served_evaluators(self):
        farm = self.farm().all(slots=4)
        farm.submit(study("s", 200, ["--served", "--touch", farm.dir], objective={"serve": True}))
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 200), {"complete": 200})
        with open(os.path.join(farm.dir, "runs")) as f:
            self.assertLessEqual(len({line.split()[2] for line in f}), 4, "served evaluators are started once a slot")

    def test_scraping_placeholders_and_files(self):
        farm = self.farm().all(slots=2)
        spec = study("s", 6, [])
        folder = os.path.join(farm.dir, "study-s")
        os.makedirs(folder)
        with open(os.path.join(folder, "train.sh"), "w") as f:
            f.write('#!/bin/sh\nfor e in 1 2 3; do echo "epoch $e val_loss=$1"; done\necho noise\ncat extra.txt\n')
        os.chmod(os.path.join(folder, "train.sh"), 0o755)
        with open(os.path.join(folder, "extra.txt"), "w") as f:
            f.write("from the file\n")
        spec["objective"] = {"command": ["./train.sh", "{x}"], "files": ["train.sh", "extra.txt"], "metric": "loss",
                             "scrape": {"pattern": r"val_loss=(?<loss>\S+)", "step": r"epoch (?<step>\d+)"}}
        farm.submit(spec)
        farm.wait_ended("s")
        for row in farm.sql("select loss, json_extract(params, '$.x') as x, step from trial"):
            self.assertAlmostEqual(row["loss"], row["x"], places=12)
            self.assertEqual(row["step"], 3)
        log = farm.tunefarm("logs", "s", "0").stdout
        self.assertIn("noise", log)
        self.assertIn("from the file", log)
        farm.stop()

    def test_report_command_for_shell_scripts(self):
        farm = self.farm().all(slots=2)
        spec = study("s", 4, [])
        folder = os.path.join(farm.dir, "study-s")
        os.makedirs(folder)
        tool = os.path.join(os.environ["TUNEFARM_BIN"], "tunefarm")
        with open(os.path.join(folder, "train.sh"), "w") as f:
            f.write(f"#!/bin/sh\nset -e\n{tool} report --step 1 --loss 3\n{tool} report --step 2 --loss 2 --acc 0.5\n")
        os.chmod(os.path.join(folder, "train.sh"), 0o755)
        spec["objective"] = {"command": ["./train.sh"], "files": ["train.sh"], "metric": "loss"}
        farm.submit(spec)
        farm.wait_ended("s")
        for row in farm.sql("select state, loss from trial"):
            self.assertEqual((row["state"], row["loss"]), ("complete", 2))
        rows = farm.sql("select json_extract(metrics, '$.acc') as acc from report where step = 2")
        self.assertEqual([r["acc"] for r in rows], [0.5] * 4)
        farm.stop()

    def test_several_studies_share_the_slots(self):
        farm = self.farm().all(slots=4)
        for i in range(5):
            farm.submit(study(f"s{i}", 20, ["--served"], objective={"serve": True}, parallel=2))
        for i in range(5):
            farm.wait_ended(f"s{i}")
        farm.stop()
        for i in range(5):
            self.assertEqual(self.assert_all_once(farm, f"s{i}", 20), {"complete": 20})

    def test_stop_a_trial_and_a_study(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 50, ["--steps", "600", "--sleep-ms", "100"]))
        farm.wait(lambda: farm.count("s", ["running"]) >= 2, "running trials")
        farm.tunefarm("stop", "s", "0")
        farm.wait(lambda: farm.count("s", ["cancelled"]) >= 1, "the cancelled trial")
        self.assertEqual(farm.sql("select state from trial where number = 0")[0]["state"], "cancelled")
        farm.tunefarm("stop", "s")
        farm.wait_ended("s")
        self.assertEqual(farm.count("s", ["queued", "leased", "running", "stopping"]), 0)
        farm.stop()
        oracle(self, farm.db)

    def test_enqueued_points_run_first(self):
        farm = self.farm()
        farm.broker()
        farm.optimizer()
        farm.submit(study("s", 5, [], enqueue=[{"x": 0.25}]))
        farm.tunefarm("enqueue", "s", "x=0.75")
        farm.worker(1, 1)
        farm.wait_ended("s")
        xs = [r["x"] for r in farm.sql("select json_extract(params, '$.x') as x from trial order by number")]
        self.assertEqual(xs[:2], [0.25, 0.75])
        bad = farm.tunefarm("enqueue", "s", "x=7", check=False)
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn("x", bad.stderr)
        farm.stop()

    def test_target_and_plateau_end_a_study(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("target", 5000, ["--served"], objective={"serve": True}, stop={"target": 0.01}))
        farm.submit(study("plateau", 5000, ["--served"], objective={"serve": True}, stop={"plateau": {"trials": 30}}))
        farm.wait_ended("target")
        farm.wait_ended("plateau")
        rows = {r["name"]: r for r in farm.sql("select * from study")}
        self.assertLessEqual(rows["target"]["best_loss"], 0.01)
        self.assertLess(rows["target"]["trials"], 5000)
        self.assertLess(rows["plateau"]["trials"], 5000)
        farm.stop()

    def test_second_broker_on_the_same_file_is_refused(self):
        farm = self.farm()
        farm.broker()
        with self.assertRaises(AssertionError) as caught:
            farm.start("second", "tunefarm-broker", "--db", farm.db, "--listen", farm.listen + "2")
        self.assertIn("farm.db", str(caught.exception))

    def test_tcp_needs_the_farm_key(self):
        farm = self.farm(listen="tcp://127.0.0.1:0")
        broker = farm.broker()
        self.assertIsNone(broker.poll())
        port = farm.wait(lambda: [w.split("=", 1)[1].split(",")[0] for w in farm.log("broker").split() if w.startswith("listen=tcp")],
                         "the endpoint in the broker's log")[0]
        farm.listen = port
        farm.optimizer()
        farm.worker(1, 2)
        farm.submit(study("s", 10, []))
        farm.wait_ended("s")
        stranger = dict(farm.env)
        farm.env["XDG_CONFIG_HOME"] = os.path.join(farm.dir, "elsewhere")
        refused = farm.tunefarm("ls", check=False)
        self.assertEqual(refused.returncode, 2 if "key" in refused.stderr else 3, refused.stderr)
        farm.env = stranger
        farm.stop()

    def test_running_worker_leaves_no_process(self):
        farm = self.farm().all(slots=3)
        farm.submit(study("s", 30, ["--steps", "500", "--sleep-ms", "100", "--touch", farm.dir]))
        farm.wait(lambda: farm.count("s", ["running"]) >= 3, "running trials")

        def touched():
            """A trial runs from its start on; its program writes a line when the processor has got to it."""
            try:
                with open(os.path.join(farm.dir, "runs")) as f:
                    whole = [line.split() for line in f if line.endswith("\n")]
            except FileNotFoundError:
                return None
            return [int(words[2]) for words in whole] if len(whole) >= 3 else None
        pids = farm.wait(touched, "the programs of three trials")
        farm.kill("worker1")

        def gone():
            for pid in pids:
                try:
                    with open(f"/proc/{pid}/stat") as f:
                        if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                            return False
                except OSError:
                    pass
            return True
        farm.wait(gone, "the evaluators to die with their worker")

    def test_database_of_a_stopped_farm_reads_in_plain_sqlite(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 10, []))
        farm.wait_ended("s")
        farm.stop()
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        rows = con.execute("select number, state, loss, json_extract(params, '$.x') from trial order by number").fetchall()
        con.close()
        self.assertEqual(len(rows), 10)
        for number, state, loss, x in rows:
            self.assertEqual(state, "complete")
            self.assertAlmostEqual(loss, (x - 0.3) ** 2, places=12)


if __name__ == "__main__":
    unittest.main(verbosity=2)
