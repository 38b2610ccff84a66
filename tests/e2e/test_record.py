"""A broker that records its inputs: they run again to the same records and messages, also after kill -9; a damaged
recording is refused in one sentence; a recording that ends does not harm the farm."""
import os
import random
import shutil
import stat
import subprocess
import unittest

from farm import BIN, PATIENCE, FarmTest, study

QUICK = ["--lease-ttl", "6s", "--beat", "1s", "--restart-grace", "8s"]
TRIALS = ["--steps", "4", "--sleep-ms", "40"]


class Record(FarmTest):
    def replay(self, recording, *args):
        return subprocess.run([os.path.join(BIN, "tunefarm-replay-inputs"), *args, recording], capture_output=True,
                              text=True, timeout=PATIENCE, check=False)

    def assert_same(self, recording, *args):
        done = self.replay(recording, *args)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn(": the same: ", done.stdout)
        return done.stdout

    def copy_database(self, farm):
        """As it lies on the disk; no broker has it."""
        copy = os.path.join(farm.dir, "copy.db")
        for end in ("", "-wal"):
            if os.path.exists(farm.db + end):
                shutil.copyfile(farm.db + end, copy + end)
        return copy

    def recorded_farm(self, recording, *more):
        farm = self.farm(QUICK)
        self.recording = os.path.join(farm.dir, recording)
        farm.broker_args += ["--record", self.recording, *more]
        return farm.all(slots=4)

    def test_killed_and_started_again(self):
        farm = self.recorded_farm("first")
        first = self.recording
        farm.submit(study("s", 40, TRIALS))
        farm.tunefarm("enqueue", "s", "x=0.25")
        farm.wait_trials("s", 10)
        farm.kill("broker")
        self.assertEqual(stat.S_IMODE(os.stat(first).st_mode), 0o600)
        copy = self.copy_database(farm)
        second = farm.broker_args[farm.broker_args.index(first)] = os.path.join(farm.dir, "second")
        farm.broker()
        farm.wait_trials("s", 20)
        farm.kill("worker1")
        farm.worker(2, 3)
        farm.kill("optimizer")
        farm.optimizer()
        farm.wait_ended("s")
        rows = farm.sql("select number, state from trial where study = 's' limit 5")
        self.assertEqual(len(rows), 5)
        farm.stop()
        self.assert_all_once(farm, "s", 40)

        self.assertIn(" records, ", self.assert_same(first))
        refused = self.replay(second)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("a copy of that is needed (--db)", refused.stderr)
        wrong = self.replay(second, "--db", shutil.copyfile(farm.db, os.path.join(farm.dir, "late.db")))
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("it ends at record", wrong.stderr)
        self.assertNotIn("no end mark", self.assert_same(second, "--db", copy))

    def test_damaged(self):
        farm = self.recorded_farm("whole")
        farm.submit(study("s", 6, TRIALS))
        farm.wait_ended("s")
        farm.stop()
        self.assert_same(self.recording)
        with open(self.recording, "rb") as f:
            whole = f.read()
        draw = random.Random(1)
        for i in range(60):
            bad = bytearray(whole)
            at = draw.randrange(len(bad))
            if i % 2:
                del bad[at:]
            else:
                bad[at] ^= 1 << draw.randrange(8)
            path = os.path.join(farm.dir, "bad")
            with open(path, "wb") as f:
                f.write(bad)
            done = self.replay(path, "--check", "0")
            if i % 2 and done.returncode == 0:  # cut between two entries: as after kill -9
                self.assertRegex(done.stdout, "no end mark|in the midst of a group")
                continue
            self.assertIn(done.returncode, (2, 5), f"byte {at}: {done.stdout}{done.stderr}")
            self.assertRegex(done.stderr, r"\Atunefarm-replay-inputs: [^\n]+\n\Z")
        done = self.replay("/dev/null")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))
        self.assertEqual(self.replay("/nowhere").returncode, 1)

    def test_difference_is_found(self):
        """A FINAL is left out: the group that it led to is named."""
        farm = self.recorded_farm("whole")
        farm.submit(study("s", 6, TRIALS))
        farm.wait_ended("s")
        farm.stop()
        with open(self.recording, "rb") as f:
            whole = f.read()
        at, out, left_out = 8, whole[:8], 0
        while at < len(whole):
            end = at + 36 + int.from_bytes(whole[at:at + 4], "little")
            if whole[at + 8:at + 10] == b"M\x15" and not left_out:
                left_out = at
            else:
                out += whole[at:end]
            at = end
        self.assertTrue(left_out, "there is no such message")
        with open(self.recording, "wb") as f:
            f.write(out)
        done = self.replay(self.recording)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r"group \d+, behind input \d+ at [\d.]+ s, differs in its ")

    def test_limit(self):
        farm = self.recorded_farm("small", "--record-limit", "64K")
        farm.submit(study("s", 60, ["--steps", "3"]))
        farm.wait_ended("s")
        self.assertEqual(farm.log("broker").count("RECORDING-ENDED"), 1)
        farm.stop()
        self.assert_all_once(farm, "s", 60)
        self.assertLessEqual(os.path.getsize(self.recording), 64 << 10)
        self.assertIn("ended at its limit of size", self.assert_same(self.recording))

    def test_never_written_over(self):
        farm = self.recorded_farm("r")
        before = os.path.getsize(self.recording)
        self.assertGreater(before, 0)
        farm.stop()
        with open(self.recording, "rb") as f:
            first = f.read()
        farm.broker()
        farm.stop()
        with open(self.recording, "rb") as f:
            self.assertEqual(f.read(), first)
        self.assertTrue(os.path.exists(self.recording + ".2"))
        self.assert_same(self.recording)

    def test_cannot_be_made(self):
        farm = self.farm()
        done = subprocess.run([os.path.join(BIN, "tunefarm-broker"), "--db", farm.db, "--listen", farm.listen, "--record",
                               "/nowhere/r"], capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("tunefarm broker: --record: /nowhere/r: No such file or directory\n", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
