"""Every proposal can be recomputed from the journal, whatever was killed meanwhile; and `why` tells about one."""
import json
import os
import shutil
import sqlite3
import subprocess
import time
import unittest

from farm import BIN, FarmTest, study

QUICK = ["--lease-ttl", "6s", "--beat", "1s", "--restart-grace", "8s"]
SPACE = {"x": {"float": [0, 1]}, "lr": {"float": [1e-5, 1], "log": True},
         "act": {"choice": ["relu", {"gelu": {"s": {"float": [0.5, 2]}}}]}}


def replay(test, farm, name, n, broker=False):
    """Replays the study of a stopped farm (or, with broker, a running one); n proposals must be equal."""
    args = [] if broker else ["--db", farm.db]
    said = json.loads(farm.tunefarm("replay", name, "--json", *args, broker=broker).stdout)
    test.assertIsNone(said["difference"])
    test.assertEqual(said["reasons"], 0)
    if n is not None:
        test.assertEqual(said["proposals"], n)
    return said


class Replay(FarmTest):
    def test_optimizer_and_broker_killed(self):
        """Points that were on their way when a process died, several in one answer, points of a person in between."""
        farm = self.farm(QUICK).all(slots=6)
        farm.submit(study("s", 90, ["--steps", "3", "--sleep-ms", "20"], space=SPACE))
        given = 0
        for round in range(3):
            farm.wait_trials("s", 8 + 20 * round)
            farm.kill("optimizer")
            farm.optimizer()
            farm.tunefarm("enqueue", "s", "x=0.25", "lr=0.1", "act=relu")
            given += 1
            farm.wait_trials("s", 16 + 20 * round)
            replay(self, farm, "s", None, broker=True)
            farm.kill("broker")
            time.sleep(0.3)
            farm.broker()
        farm.wait_ended("s")
        farm.stop()
        self.assert_all_once(farm, "s", 90)
        said = farm.tunefarm("replay", "s", "--db", farm.db, broker=False).stdout
        self.assertEqual(said, f"{90 - given} proposals recomputed, all equal\n")
        replay(self, farm, "s", 90 - given)

    def test_an_altered_proposal_is_named(self):
        farm = self.farm()
        path = farm.write_study(study("s", 60, ["--steps", "1"]))
        farm.tunefarm("run", "--slots", "3", path, broker=False)
        farm.db = os.path.join(farm.dir, "s.tunefarm.db")
        replay(self, farm, "s", 60)
        altered = os.path.join(farm.dir, "altered.db")
        shutil.copy(farm.db, altered)
        con = sqlite3.connect(altered)
        body, params = con.execute(
            "select j.body, t.params from journal j join trial_row t on t.study = j.study and t.number = j.trial "
            "where j.trial = 31 and j.kind = 20").fetchone()
        digit = params.rindex("}") - 1
        other = params[:digit] + ("1" if params[digit] != "1" else "2") + params[digit + 1:]
        con.execute("update journal set body = ? where trial = 31 and kind = 20",
                    (body.replace(params.encode(), other.encode()),))
        con.execute("update trial_row set params = ? where number = 31", (other,))
        con.commit()
        con.close()
        done = farm.tunefarm("replay", "s", "--db", altered, broker=False, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("trial 31 of s", done.stderr)
        self.assertIn(f"recorded   {other}", done.stdout)
        self.assertIn(f"recomputed {params}", done.stdout)
        done = farm.tunefarm("replay", "s", "--db", altered, "--json", broker=False, check=False)
        self.assertEqual(done.returncode, 1)
        difference = json.loads(done.stdout)["difference"]
        self.assertEqual((difference["trial"], difference["what"]), (31, "params"))
        self.assertEqual(difference["came"], json.loads(params))

    def test_changed_specifications(self):
        """A longer study, then another space: each proposal is recomputed under the one it was made under."""
        farm = self.farm()
        spec = study("s", 20, [])
        del spec["sampler"]["seed"]  # then it comes from the bytes of the specification
        farm.tunefarm("run", "--slots", "2", farm.write_study(spec), broker=False)
        farm.db = os.path.join(farm.dir, "s.tunefarm.db")
        farm.tunefarm("run", "--trials", "40", "--slots", "2", farm.write_study(spec), broker=False)
        spec["space"]["x"] = {"float": [0, 2]}
        spec["stop"]["trials"] = 65
        farm.tunefarm("run", "--edit", "--slots", "2", farm.write_study(spec), broker=False)
        replay(self, farm, "s", 65)

    def test_pauses(self):
        """A trial that is stopped for a while; a study held back, with points and a new optimizer meanwhile."""
        farm = self.farm().all(slots=4)
        spec = study("s", 32, ["--steps", "20", "--sleep-ms", "40"], space=SPACE)
        farm.submit(spec)
        farm.wait_trials("s", 6)

        def pause_one():
            rows = farm.sql("select number from trial where state = 'running' order by step limit 1")
            return rows and farm.tunefarm("pause", "s", str(rows[0]["number"]), check=False).returncode == 0
        farm.wait(pause_one, "a trial that can be paused")
        farm.tunefarm("pause", "s")
        farm.wait(lambda: farm.count("s", ["leased", "running", "stopping"]) == 0, "the running trials' end")
        given = farm.tunefarm("enqueue", "s", "x=0.25", "lr=0.1", "act=relu", "--json").stdout
        farm.tunefarm("pause", "s", str(json.loads(given)["trial"]))
        farm.kill("optimizer")
        farm.optimizer()
        replay(self, farm, "s", None, broker=True)
        spec["enqueue"] = [{"x": 0.5}]
        farm.submit(spec)  # and so it goes on
        farm.tunefarm("pause", "s")
        farm.tunefarm("resume", "s")

        def resume_all():
            for row in farm.sql("select number from trial where state = 'paused'"):
                farm.tunefarm("resume", "s", str(row["number"]))
            return farm.sql("select state from study")[0]["state"] == "ended"
        farm.wait(resume_all, "the end of s")
        farm.stop()
        self.assert_all_once(farm, "s", 32)
        con = sqlite3.connect(farm.db)
        kinds = dict(con.execute("select kind, count(*) from record group by kind").fetchall())
        con.close()
        self.assertEqual([kinds.get(k) for k in ("study_paused", "study_resumed", "paused", "enqueued")], [2, 2, 1, 2])
        replay(self, farm, "s", 30)

    def test_interrupted_run(self):
        farm = self.farm()
        path = farm.write_study(study("s", 60, ["--steps", "2", "--sleep-ms", "20"]))
        process = subprocess.Popen([os.path.join(BIN, "tunefarm"), "run", "--slots", "3", path], cwd=farm.dir,
                                   env=farm.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        farm.db = os.path.join(farm.dir, "s.tunefarm.db")
        asked = ["sql", "--json", "--db", farm.db, "select count(*) as n from trial where state = 'complete'"]

        def complete():
            done = farm.tunefarm(*asked, broker=False, check=False)
            return done.returncode == 0 and json.loads(done.stdout)["n"] >= 12
        farm.wait(complete, "some trials")
        replay(self, farm, "s", None)
        process.kill()
        process.wait()
        farm.wait(lambda: farm.tunefarm("run", path, broker=False, check=False).returncode == 0, "the study's end")
        replay(self, farm, "s", 60)


class Why(FarmTest):
    def test_what_was_known_then(self):
        farm = self.farm()
        spec = study("s", 30, ["--steps", "1"], space=SPACE)
        spec["enqueue"] = [{"x": 0.5, "lr": 0.01, "act": "relu"}]
        farm.tunefarm("run", "--slots", "2", farm.write_study(spec), broker=False)
        farm.db = os.path.join(farm.dir, "s.tunefarm.db")
        con = sqlite3.connect(farm.db)
        for trial in (0, 1, 9, 29):
            said = json.loads(farm.tunefarm("why", "s", str(trial), "--json", broker=False).stdout)
            self.assertEqual(said["given"], "study file" if trial == 0 else None)
            if trial == 0:
                self.assertEqual((said["draw"], said["nearest"], said["ended"]), (None, [], 0))
                continue
            known = con.execute("select trial from event where kind = 'finished' and study_seq <= ?",
                                (said["based_on"],)).fetchall()
            self.assertEqual(said["ended"], len(known))
            self.assertLessEqual(len(said["nearest"]), 3)
            distances = [n["distance"] for n in said["nearest"]]
            self.assertEqual(distances, sorted(distances))
            for n in said["nearest"]:
                self.assertIn((n["trial"],), known)
                self.assertEqual(n["loss"], con.execute("select loss from trial where number = ?",
                                                        (n["trial"],)).fetchone()[0])
        con.close()
        text = farm.tunefarm("why", "s", "29", broker=False).stdout
        self.assertIn("trial 29 of s was proposed (draw 28)", text)
        self.assertIn("model", text)
        self.assertIn("Nearest of the trials", text)
        self.assertIn("study file", farm.tunefarm("why", "s", "0", broker=False).stdout)
        done = farm.tunefarm("why", "s", "30", broker=False, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("it has 30, counted from 0", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
