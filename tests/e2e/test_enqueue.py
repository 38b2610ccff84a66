"""Known points: those of a study file run first and once, whatever happens; those of the command before new proposals."""
import json
import os
import signal
import sqlite3
import subprocess
import unittest

from farm import BIN, FarmTest, PATIENCE, study

SPACE = {"x": {"float": [0, 1]}, "k": {"int": [1, 4]}, "act": {"choice": ["relu", {"gelu": {"s": {"float": [0, 1]}}}]}}
POINTS = [{"x": 0.5, "k": 2, "act": "relu"}, {"x": 0.25}, {"act": "gelu", "s": 0.125}]
SLOW = ["--steps", "3", "--sleep-ms", "100"]


def known(name, trials, points=POINTS, args=SLOW, **more):
    return study(name, trials, args, space=SPACE, enqueue=points, **more)


class Enqueue(FarmTest):
    def assert_given(self, farm, name, points, first=0):
        """The trials from `first` on are these points, and no other trial of the study was given."""
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        rows = con.execute("select number, params, draw from trial where study = ? order by number", (name,)).fetchall()
        con.close()
        given = [json.loads(params) for number, params, draw in rows if draw is None and number >= first]
        self.assertEqual([n for n, _, draw in rows if draw is None and n >= first],
                         list(range(first, first + len(points))))
        for params, point in zip(given, points):
            names = {("act.gelu.s" if k == "s" else k): v for k, v in point.items()}
            self.assertEqual({k: params[k] for k in names}, names)
            self.assertEqual(set(params), {"x", "k", "act"} | ({"act.gelu.s"} if params["act"] == "gelu" else set()))
        return given

    def started(self, farm):
        con = sqlite3.connect(f"file:{farm.db}?mode=ro", uri=True)
        rows = con.execute("select trial from event where kind = 'started' order by seq").fetchall()
        con.close()
        return [r[0] for r in rows]

    def run_study(self, farm, path, *args):
        farm.tunefarm("run", *args, path, broker=False)
        farm.db = path_of(farm, "s")

    def test_points_of_the_file_run_first_and_once(self):
        farm = self.farm()
        path = farm.write_study(known("s", 12))
        farm.db = path_of(farm, "s")
        for _ in range(2):  # interrupted while known points run, then again
            process = subprocess.Popen([os.path.join(BIN, "tunefarm"), "run", "--json", "--slots", "1", path],
                                       cwd=farm.dir, env=farm.env, stdout=subprocess.PIPE, text=True)
            with process:
                next(line for line in process.stdout if '"finished"' in line)
                process.send_signal(signal.SIGINT)
                process.stdout.read()
                self.assertEqual(process.wait(PATIENCE), 130)
        self.run_study(farm, path, "--slots", "1")
        self.assert_all_once(farm, "s", 12)
        self.assert_given(farm, "s", POINTS)
        order = [t for i, t in enumerate(self.started(farm)) if t not in self.started(farm)[:i]]
        self.assertEqual(order[:3], [0, 1, 2])
        self.run_study(farm, path)  # a complete one stays as it is
        self.assert_all_once(farm, "s", 12)

    def test_points_survive_every_death(self):
        farm = self.farm(["--lease-ttl", "6s", "--beat", "1s", "--restart-grace", "8s"])
        farm.broker()
        farm.submit(known("s", 10))
        farm.kill("broker")
        farm.all(slots=1)
        farm.wait_trials("s", 1)
        farm.kill("optimizer")
        farm.kill("broker")
        farm.broker()
        farm.optimizer()
        farm.submit(known("s", 10))
        farm.wait_ended("s")
        farm.stop()
        self.assert_all_once(farm, "s", 10)
        self.assert_given(farm, "s", POINTS)

    def test_points_that_are_added_later_run_and_the_others_not_again(self):
        farm = self.farm()
        self.run_study(farm, farm.write_study(known("s", 6, args=[])))
        more = POINTS + [{"x": 0.75, "act": "relu"}]
        self.run_study(farm, farm.write_study(known("s", 12, more, args=[])))
        self.assert_all_once(farm, "s", 12)
        self.assert_given(farm, "s", more[3:], first=6)
        edited = known("s", 18, more + [{"x": 1.5}], args=[])
        edited["space"] = dict(SPACE, x={"float": [0, 2]})
        self.run_study(farm, farm.write_study(edited), "--edit")
        self.assert_all_once(farm, "s", 18)
        self.assert_given(farm, "s", [{"x": 1.5}], first=12)
        said = farm.tunefarm("replay", "s", "--db", farm.db, broker=False).stdout
        self.assertEqual(said, "13 proposals recomputed, all equal\n")

    def test_by_command(self):
        farm = self.farm().all(slots=1)
        farm.submit(study("s", 40, SLOW, space=SPACE))
        farm.wait_trials("s", 2)
        said = json.loads(farm.tunefarm("enqueue", "s", "x=0.5", "k=3", "--json").stdout)
        self.assertEqual((said["params"]["x"], said["params"]["k"]), (0.5, 3))
        said = farm.tunefarm("enqueue", "s", "--params", '{"act": "relu", "x": 0.125}').stdout
        self.assertIn("waits for a slot\n", said)
        self.assertRegex(said, r"drawn from the priors: k=[1-4]\n")
        whole = farm.tunefarm("enqueue", "s", "act=gelu", "s=0.5", "x=1", "k=1").stdout
        self.assertNotIn("drawn", whole)
        for args, words in ((["k=9"], "k: 9 is out of bounds; expected 1 to 4"),
                            (["y=9"], "y: the space has no such parameter"),
                            (["s=0.5"], "act.gelu.s: depends on act; give that too"),
                            (["act=relu", "s=0.5"], "s: not active at this point; leave it out"),
                            ([], "the point is empty")):
            done = farm.tunefarm("enqueue", "s", *args, check=False)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(words, done.stderr)
        farm.wait(lambda: farm.sql("select count(*) as n from trial where draw is null and state = 'complete'")[0]["n"]
                  == 3, "the given points")
        self.assertLess(farm.count("s", ["complete"]), 30)  # they did not wait for the study's end
        why = json.loads(farm.tunefarm("why", "s", str(farm.sql(
            "select min(number) as n from trial where draw is null")[0]["n"]), "--json").stdout)
        self.assertEqual(why["given"], "command")
        self.assertGreaterEqual(why["ended"], 2)

    def test_a_wrong_point_is_named_with_its_line(self):
        farm = self.farm()
        path = os.path.join(farm.dir, "s.yaml")
        with open(path, "w") as f:
            f.write("study: s\nobjective: {command: [true]}\nspace:\n  x: {float: [0, 1]}\n"
                    "enqueue:\n  - {x: 0.5}\n  - {x: 7}\n")
        done = farm.tunefarm("run", path, broker=False, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("s.yaml:7:6: enqueue[1].x: 7 is out of bounds; expected 0 to 1\n", done.stderr)
        self.assertIn("      - {x: 7}\n", done.stderr)


def path_of(farm, name):
    return os.path.join(farm.dir, name + ".tunefarm.db")


if __name__ == "__main__":
    unittest.main(verbosity=2)
