"""What an operator does with the database: backup while the farm works and is killed, restore and go on, a copy that
nobody announced, compaction, and files that are damaged."""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from farm import BIN, FarmTest, study

QUICK = ["--lease-ttl", "6s", "--beat", "1s", "--restart-grace", "8s"]
TRIALS = ["--steps", "6", "--sleep-ms", "15"]


def read(db, query):
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    rows = con.execute(query).fetchall()
    con.close()
    return rows


def content(path):
    with open(path, "rb") as f:
        return f.read()


def finished(db):
    return read(db, "select study, number, state, loss, params from trial where state in "
                    "('complete', 'pruned', 'failed', 'cancelled') order by study, number")


class Backup(FarmTest):
    def copy(self, farm, name="copy.db"):
        return os.path.join(farm.dir, name)

    def test_backup_and_restore(self):
        farm = self.farm(QUICK).all(slots=4)
        farm.submit(study("s", 60, TRIALS))
        farm.wait_trials("s", 15)
        copy, again = self.copy(farm), self.copy(farm, "again.db")
        farm.tunefarm("backup", copy)
        refused = farm.tunefarm("backup", copy, check=False)
        self.assertEqual(refused.returncode, 4, refused.stderr)
        farm.tunefarm("backup", "--force", "copy.db", cwd=farm.dir)  # a relative name is the caller's
        self.assertEqual(read(copy, "pragma integrity_check"), [("ok",)])
        self.assertFalse(os.path.exists(copy + ".part"))
        at_backup = finished(copy)
        self.assertGreaterEqual(len(at_backup), 15)
        farm.wait_trials("s", 30)
        # The farm's disk is lost; its worker lives on and holds trials of what came after the backup.
        farm.kill("broker")
        for left in (farm.db, farm.db + "-wal"):
            os.unlink(left)
        mistaken = subprocess.run([os.path.join(BIN, "tunefarm-broker"), "--db", copy, "--listen", farm.listen],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(mistaken.returncode, 4, mistaken.stderr)
        self.assertIn("tunefarm restore", mistaken.stderr)
        shutil.copy(copy, again)
        farm.tunefarm("restore", copy, farm.db)
        self.assertEqual(content(copy), content(again), "the backup was changed")
        farm.broker()
        self.assertIn("TIMELINE", farm.log("broker"))
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 60), {"complete": 60})
        after = set(finished(farm.db))
        self.assertTrue(set(at_backup) <= after, "a trial that was final at the backup's time is another")
        losses = read(farm.db, "select loss, json_extract(params, '$.x') from trial")
        for loss, x in losses:  # no result of another timeline for a point of this one
            self.assertAlmostEqual(loss, (x - 0.3) ** 2, delta=1e-6)
        farm.tunefarm("replay", "s", "--db", farm.db, broker=False)

    def test_killed_in_the_midst(self):
        farm = self.farm(QUICK + ["--ballast", "0"]).all(slots=4)
        farm.submit(study("s", 120, TRIALS))
        farm.wait_trials("s", 3)
        copy = self.copy(farm)
        rng = random.Random(3)
        for turn in range(6):
            client = subprocess.Popen([os.path.join(BIN, "tunefarm"), "backup", "--force", "--timeout", "20s",
                                       "--broker", farm.listen, copy], env=farm.env, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, 0.06))
            farm.kill("broker")
            if os.path.exists(copy):
                self.assertEqual(read(copy, "pragma integrity_check"), [("ok",)])
                self.assertEqual(len(read(copy, "select 1 from meta where key = 'copy_ms'")), 1)
            farm.broker()
            if turn % 2:
                client.kill()
            client.wait()  # the others find the new broker and get their backup
        self.assertEqual(read(copy, "pragma integrity_check"), [("ok",)])
        farm.wait_ended("s")
        farm.stop()
        self.assertEqual(self.assert_all_once(farm, "s", 120), {"complete": 120})

    def test_of_a_stopped_farm(self):
        farm = self.farm().all(slots=4)
        farm.submit(study("s", 6, TRIALS))
        farm.wait_ended("s")
        farm.kill("broker")  # the log is left
        copy = self.copy(farm)
        farm.tunefarm("backup", copy, "--db", farm.db, broker=False)
        self.assertEqual(len(finished(copy)), 6)
        said = farm.tunefarm("best", "s", "--db", copy, broker=False).stdout
        self.assertIn("x=", said)
        restored = self.copy(farm, "restored.db")
        farm.tunefarm("restore", copy, restored, broker=False)
        refused = farm.tunefarm("restore", copy, restored, broker=False, check=False)
        self.assertEqual(refused.returncode, 4)
        farm.broker()
        refused = farm.tunefarm("restore", "--force", copy, farm.db, broker=False, check=False)
        self.assertIn("a broker has", refused.stderr)

    def test_a_copy_that_nobody_announced(self):
        farm = self.farm().all(slots=2)
        farm.submit(study("s", 4, TRIALS))
        farm.wait_ended("s")
        farm.stop()
        timeline = "select value from meta where key = 'timeline'"
        was = read(farm.db, timeline)
        farm.broker()
        farm.kill("broker", signal.SIGTERM)
        self.assertEqual(read(farm.db, timeline), was)
        moved = farm.db + ".moved"
        os.rename(farm.db, moved)
        farm.db, original = moved, farm.db
        farm.broker()
        farm.kill("broker", signal.SIGTERM)
        self.assertEqual(read(farm.db, timeline), was, "a rename makes no copy")
        shutil.copy(moved, original)
        farm.db = original
        farm.broker()
        self.assertIn("why=copied", farm.log("broker"))
        farm.kill("broker", signal.SIGTERM)
        self.assertNotEqual(read(farm.db, timeline), was)


class Compaction(FarmTest):
    def test_everything_but_the_curves_stays(self):
        farm = self.farm(QUICK).all(slots=4)
        farm.submit(study("s", 30, TRIALS))
        farm.submit(study("open", 1000, ["--steps", "6", "--sleep-ms", "200"]))
        farm.wait_ended("s")
        before = {c: farm.tunefarm(*c.split()).stdout for c in ("export s", "best s -k 5", "replay s")}
        self.assertGreater(len(farm.sql("select 1 from report where study = 's'")), 100)
        for turn in range(3):  # killed in the midst, and given again
            client = subprocess.Popen([os.path.join(BIN, "tunefarm"), "compact", "s"],
                                      env=dict(farm.env, TUNEFARM_BROKER=farm.listen), stdout=subprocess.DEVNULL)
            time.sleep(0.01 * turn)
            farm.kill("broker")
            client.kill()
            client.wait()
            farm.broker()
        farm.tunefarm("compact")
        self.assertEqual(farm.sql("select count(*) as n, count(distinct number) as t from report where study = 's'"),
                         [{"n": 30, "t": 30}])
        self.assertGreater(farm.sql("select compacted from study where name = 's'")[0]["compacted"], 100)
        self.assertEqual(farm.sql("select compacted from study where name = 'open'")[0]["compacted"], 0)
        for command, said in before.items():
            self.assertEqual(farm.tunefarm(*command.split()).stdout, said, command)
        self.assertIn("compacted", farm.tunefarm("export", "--reports", "s").stderr)
        # Of a study that goes on: the final trials' only, and its optimizer begins anew on what is left.
        farm.wait_trials("open", 4)
        farm.tunefarm("compact", "open")
        farm.kill("optimizer")
        farm.optimizer()
        n = farm.count("open", ["complete"])
        farm.wait_trials("open", n + 6)
        farm.tunefarm("stop", "open")
        farm.wait_ended("open")
        self.assertIn("equal", farm.tunefarm("replay", "open").stdout)
        farm.stop()
        self.assertEqual(read(farm.db, "pragma integrity_check"), [("ok",)])
        # All but reports is there, and the journal's own order is unbroken but for them.
        seqs = [r[0] for r in read(farm.db, "select seq from journal order by seq")]
        self.assertLess(len(seqs), seqs[-1])
        for number, top in read(farm.db, "select number, compacted from study"):
            gaps = read(farm.db, f"select count(*), max(study_seq) from journal where study = {number} and "
                                 f"study_seq > {top}")[0]
            self.assertEqual(gaps[0], gaps[1] - top, "a gap behind what was compacted")


class Damage(FarmTest):
    def test_damaged_files(self):
        """Seeded: bits flipped, pages swapped, the end cut off. The broker refuses with a sentence, or serves what is
        right as far as anybody can tell; it never dies of it, and a file that it refuses is as it was."""
        farm = self.farm(["--ballast", "0"]).all(slots=4)
        farm.submit(study("s", 20, TRIALS))
        farm.wait_ended("s")
        farm.stop()
        good = content(farm.db)
        right = finished(farm.db)
        refused = 0
        for seed in range(16):
            rng = random.Random(seed)
            bad = bytearray(good)
            if seed % 4 == 0:
                del bad[rng.randrange(100, len(bad)):]
            elif seed % 4 == 1:
                for _ in range(200):
                    bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            elif seed % 4 == 2:
                a, b = rng.sample(range(1, len(bad) // 4096), 2)
                bad[a * 4096:a * 4096 + 4096], bad[b * 4096:b * 4096 + 4096] = \
                    bad[b * 4096:b * 4096 + 4096], bad[a * 4096:a * 4096 + 4096]
            else:
                page = rng.randrange(len(bad) // 4096)
                bad[page * 4096:page * 4096 + 4096] = bytes(rng.getrandbits(8) for _ in range(4096))
            for left in ("-wal", "-shm"):
                if os.path.exists(farm.db + left):
                    os.unlink(farm.db + left)
            with open(farm.db, "wb") as f:
                f.write(bad)
            with self.subTest(seed=seed):
                refused += self.try_damaged(farm, bytes(bad), right)
        self.assertGreater(refused, 8)

    def try_damaged(self, farm, bad, right):
        try:
            farm.broker()
        except AssertionError:
            text = content(farm.logs["broker"]).decode(errors="replace")
            os.unlink(farm.logs["broker"])
            status = farm.ended["broker"]
            self.assertIn(status, (1, 2, 4, 5), text)
            self.assertIn("tunefarm broker: ", text)
            self.assertEqual(content(farm.db), bad, "a refused file was changed: " + text)
            return True
        for command in ("ls", "show s", "best s", "export s", "export --reports s"):
            done = farm.tunefarm(*command.split(), "--timeout", "10s", check=False)
            if done.returncode == 0 and command == "export s":
                self.assertEqual(len(done.stdout.splitlines()), len(right) + 1, done.stdout)
            self.assertIn(done.returncode, (0, 1, 2, 3, 4, 5))
        self.assertIsNone(farm.processes["broker"].poll(), farm.log("broker"))
        farm.kill("broker")
        return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
