"""tunefarm doctor: a healthy farm is well, and each check can fail: damaged files, edited rows, missing daemons, full disks, low limits.

What speaks foreign peers' language needs python3-zmq and python3-msgpack (Debian); those tests are skipped, saying so, without them."""
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import unittest

from farm import BIN, PATIENCE, FarmTest, study
from peer import ATTACHED, CLIENT, CREDIT, OPTIMIZER, PROPOSE, PULL, WANT, WORKER, Peer, zmq


class DoctorTest(FarmTest):
    def doctor(self, farm, *args, broker=True, **kw):
        """Exit status and lines of one run."""
        done = farm.tunefarm("doctor", "--json", *args, broker=broker, check=False, **kw)
        self.assertEqual(done.stderr, "")
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def said(self, found, check, status):
        """The texts of a check's lines, all of which must have that status."""
        lines = [line for line in found[1] if line["check"] == check]
        self.assertTrue(lines, f"no line about {check} in {found}")
        self.assertEqual({line["status"] for line in lines}, {status}, f"{found}")
        if status != "ok":
            self.assertTrue(all(line["advice"] for line in lines), f"what to do next: {lines}")
        return " ".join(line["text"] for line in lines)

    def assert_well(self, found):
        self.assertEqual([line for line in found[1] if line["status"] != "ok"], [])
        self.assertEqual(found[0], 0)

    def until(self, farm, check, status, *args):
        """Asks again until the check says so; what it says."""
        def look():
            found = self.doctor(farm, "--quick", *args)
            lines = [line for line in found[1] if line["check"] == check and line["status"] == status]
            return lines and (found, lines[0]["text"])
        return farm.wait(look, f"{check} {status}")


class Running(DoctorTest):
    def test_a_healthy_farm(self):
        farm = self.farm(["--ballast", "1M"]).all(slots=2)
        farm.submit(study("done", 8, ["--steps", "2"]))
        farm.wait_ended("done")
        farm.submit(study("runs", 100000, ["--steps", "3", "--sleep-ms", "20"]))
        farm.wait_trials("runs", 4)
        found = self.doctor(farm)
        self.assert_well(found)
        for check in ("broker", "clock", "sessions", "feed", "disk", "ballast", "commits", "descriptors", "memory", "peers",
                      "versions", "clocks", "studies", "counters", "pages", "journal", "fold"):
            self.said(found, check, "ok")
        self.assertIn("2 studies", self.said(found, "fold", "ok"))
        people = farm.tunefarm("doctor", "--quick").stdout
        self.assertIn("all is well", people)
        self.assertNotIn("fold", people)
        farm.stop()

    def test_who_is_missing(self):
        farm = self.farm(["--ballast", "0", "--lease-ttl", "1s", "--beat", "0.2s"])
        farm.broker()
        farm.submit(study("s", 4, []))
        self.assertIn("no optimizer", self.until(farm, "study", "FAIL")[1])
        farm.optimizer()
        self.assertIn("no worker", self.until(farm, "study", "FAIL")[1])
        farm.submit(study("g", 4, [], objective={"resources": {"gpu": 3}, "labels": ["big"]}))
        farm.worker(1, 1, "--gpus", "0")
        found, text = self.until(farm, "study", "FAIL")
        self.assertIn("3 GPUs labels big", text)
        self.assertEqual(found[0], 2)
        farm.tunefarm("pause", "g")
        farm.wait_ended("s")
        self.assertIn("paused", self.until(farm, "study", "ok")[1])
        farm.kill("broker")
        found = self.doctor(farm)
        self.assertEqual(found[0], 2)
        self.assertIn("no broker answers", self.said(found, "broker", "FAIL"))

    def test_a_peer_that_is_stopped(self):
        farm = self.farm(["--lease-ttl", "60s", "--beat", "0.2s"]).all(slots=1)
        farm.wait(lambda: farm.sql("select name from worker where state = 'ready'"), "the worker")
        farm.processes["worker1"].send_signal(signal.SIGSTOP)
        self.addCleanup(farm.processes["worker1"].send_signal, signal.SIGCONT)
        found, text = self.until(farm, "peers", "warn")
        self.assertIn("missed a beat", text)
        self.assertEqual(found[0], 1)

    def test_rows_that_were_changed(self):
        """The broker takes over what somebody wrote into its tables; doctor does not."""
        farm = self.farm(["--ballast", "0"]).all(slots=2)
        farm.submit(study("s", 6, []))
        farm.wait_ended("s")
        farm.stop()
        con = sqlite3.connect(farm.db)
        con.execute("update trial_row set value = value + 1 where number = 3")
        con.commit()
        con.close()
        farm.broker()
        found = self.doctor(farm)
        self.assertEqual(found[0], 2)
        self.assertRegex(self.said(found, "fold", "FAIL"), "study s, trial 3: value is .* by the journal")
        self.said(found, "pages", "ok")

    def test_after_a_compaction_and_in_a_backup(self):
        farm = self.farm(["--ballast", "0"]).all(slots=2)
        farm.submit(study("s", 10, ["--steps", "9"]))
        farm.wait_ended("s")
        farm.tunefarm("compact", "s")
        self.assertLess(farm.sql("select count(*) as n from report")[0]["n"], 90)
        self.assert_well(self.doctor(farm))
        copy = os.path.join(farm.dir, "copy.db")
        farm.tunefarm("backup", copy)
        self.assert_well(self.doctor(farm, "--db", copy, broker=False))
        farm.stop()
        self.assert_well(self.doctor(farm, "--db", farm.db, broker=False))

    def test_a_low_limit_of_open_files(self):
        farm = self.farm(["--ballast", "0"])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        program = ["sh", "-c", f'ulimit -n 260; exec "{BIN}/tunefarm-broker" "$@"', "sh"]
        read_end, write_end = os.pipe()
        log = open(os.path.join(farm.dir, "broker.log"), "ab")
        farm.logs["broker"] = log.name
        farm.processes["broker"] = subprocess.Popen(
            [*program, "--db", farm.db, "--listen", farm.listen, "--ballast", "0", "--ready-fd", str(write_end)],
            pass_fds=[write_end], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=farm.dir, env=farm.env)
        os.close(write_end)
        log.close()
        self.assertIn(b"READY", os.read(read_end, 64), farm.log("broker"))
        os.close(read_end)
        if not zmq:
            self.skipTest("python3-zmq or python3-msgpack is not installed")
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        self.connect(context, farm, 200)
        found = self.doctor(farm, "--quick")
        self.assertIn("of 260 open files", self.said(found, "descriptors", "warn"))
        self.connect(context, farm, 26)
        found = self.doctor(farm, "--quick")
        self.said(found, "descriptors", "FAIL")

    def connect(self, context, farm, n):
        peers = [Peer(context, farm.listen) for _ in range(n)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.hello(CLIENT)
        return peers

    @unittest.skipUnless(zmq, "python3-zmq or python3-msgpack is not installed")
    def test_peers_that_are_odd(self):
        farm = self.farm(["--ballast", "0", "--max-sessions", "4"])
        farm.broker()
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        worker, optimizer, client = (Peer(context, farm.listen) for _ in range(3))
        for peer in (worker, optimizer, client):
            self.addCleanup(peer.close)
        worker.hello(WORKER, f9=1, f8='{"tunefarm":"0.0.9"}', f13="old")
        worker.send(3, {4: 1, 6: 1000})  # its clock stands in 1970
        worker.send(CREDIT, {1: 1})
        worker.send(250, {})
        optimizer.hello(OPTIMIZER)
        client.hello(CLIENT)
        spec = json.dumps({"study": "s", "objective": {"command": ["true"], "metric": "loss"},
                           "space": {"x": {"float": [0, 1]}}}, separators=(",", ":")).encode()
        self.assertEqual(client.submit("s", spec)[2], "OK")
        attached = optimizer.expect(ATTACHED)[1]
        at = {1: attached[1], 2: attached[2]}
        optimizer.send(PULL, {**at, 3: 100})
        want = optimizer.expect(WANT)[1]
        found, text = self.until(farm, "study", "warn")
        self.assertIn("waits for proposals", text)
        self.assertIn("old is 0.0.9", self.said(found, "versions", "warn"))
        self.assertIn("furthest old", self.said(found, "clocks", "warn"))
        self.assertIn("unknown_kind 1", self.said(found, "counters", "warn"))
        self.assertIn("no more are let in", self.said(found, "sessions", "FAIL"))
        optimizer.send(PROPOSE, {**at, 3: want[3], 4: [{1: 9, 2: "{}"}]})
        self.assertIn("proposed what cannot be", self.until(farm, "study", "FAIL")[1])

    def test_a_feed_that_cannot_be_heard(self):
        farm = self.farm(["--ballast", "0"])
        farm.broker()
        os.unlink(farm.listen.removeprefix("ipc://") + ".feed")
        found = self.doctor(farm, "--quick")
        self.assertIn("no beacon", self.said(found, "feed", "warn"))

    def test_a_full_disk(self):
        """On a small disk of its own, where the machine allows one to be mounted."""
        farm = self.farm(["--ballast", "1M"])
        disk = os.path.join(farm.dir, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], capture_output=True).returncode:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        farm.db = os.path.join(disk, "farm.db")
        farm.broker()
        found = self.doctor(farm, "--quick")
        self.said(found, "disk", "warn")  # little, and in memory
        filler = os.open(os.path.join(disk, "filler"), os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, filler)
        try:
            while os.write(filler, b"x" * 4096):
                pass
        except OSError:
            pass
        self.assertIn("are needed", self.said(self.doctor(farm, "--quick"), "disk", "FAIL"))
        for i in range(400):
            if farm.tunefarm("submit", farm.write_study(study(f"s{i}", 1, [], enqueue=[{"x": 0.5}] * 200)),
                             check=False).returncode:
                break
        found, text = self.until(farm, "ballast", "FAIL")
        self.assertIn("only ends", text)


class Stopped(DoctorTest):
    """Files of a farm that ran once; made once, and damaged anew in each test."""

    @classmethod
    def setUpClass(cls):
        import farm as module
        cls.made = module.Farm(["--ballast", "0"])
        cls.made.all(slots=2)
        cls.made.submit(study("s", 12, ["--steps", "3"]))
        cls.made.wait_ended("s")
        cls.made.submit(study("t", 100000, ["--steps", "3", "--sleep-ms", "30"]))
        cls.made.wait_trials("t", 6)
        cls.made.kill("broker")  # with rows that are behind, and trials that run
        cls.made.kill("worker1")
        cls.made.kill("optimizer")

    @classmethod
    def tearDownClass(cls):
        cls.made.close()

    def setUp(self):
        self.ran = self.farm()
        for suffix in ("", "-wal"):
            shutil.copy(self.made.db + suffix, self.ran.db + suffix)

    def look(self):
        return self.doctor(self.ran, "--db", self.ran.db, broker=False)

    def edit(self, *statements):
        con = sqlite3.connect(self.ran.db)
        for statement in statements:
            con.execute(statement)
        con.commit()
        con.execute("pragma wal_checkpoint(truncate)")
        con.close()

    def assert_differs(self, pattern, *statements, check="fold"):
        self.edit(*statements)
        found = self.look()
        self.assertEqual(found[0], 2)
        self.assertRegex(self.said(found, check, "FAIL"), pattern)

    def test_as_a_killed_broker_left_it(self):
        with open(self.ran.db, "rb") as f:
            before = f.read()
        found = self.look()
        self.assert_well(found)
        self.assertIn("did not end in order", self.said(found, "log", "ok"))
        with open(self.ran.db, "rb") as f:
            self.assertEqual(f.read(), before)

    def test_trials(self):
        self.assert_differs("study s, trial 3: value is 7", "update trial_row set value = 7 where study = 1 and number = 3")

    def test_texts_of_trials(self):
        self.assert_differs("study s, trial 5: params is", "update trial_row set params = '{}' where study = 1 and number = 5")

    def test_trials_that_are_not_final(self):
        self.assert_differs("study t, trial [0-9]+: lost is 5",
                            "update trial_row set lost = 5 where study = 2 and state < 6")

    def test_a_trial_without_a_row(self):
        self.assert_differs("study s, trial 4: it has no row", "delete from trial_row where study = 1 and number = 4")

    def test_a_row_without_a_trial(self):
        self.edit("delete from study_row where number = 2", "delete from trial_row where study = 2",
                  "delete from journal where seq > (select max(seq) from journal where study = 1)",
                  "update meta set value = (select max(seq) from journal) where key = 'fold_seq'")
        self.assert_well(self.look())
        self.assert_differs("rows of trials that the journal does not know",
                            "insert into trial_row select 1, 99, seq, state, why, last_close, flags, attempt, final_attempt, lost, "
                            "crashes, spec_number, draw, based_on, behind, value, step, created_ms, started_ms, finished_ms, retry_ms, "
                            "runtime_ms, exit_code, signal, worker, resume_step, params, why_text, metrics, error, resume, decide, resume_digest "
                            "from trial_row where study = 1 and number = 1")

    def test_a_row_that_is_behind(self):
        self.assert_differs("trial 2: its row is of record 1,", "update trial_row set seq = 1 where study = 1 and number = 2")

    def test_studies(self):
        self.assert_differs("study s: complete is 99", "update study_row set complete = 99 where number = 1")

    def test_a_study_without_a_row(self):
        self.assert_differs("study s has no row", "delete from study_row where number = 1")

    def test_a_record_that_is_missing(self):
        self.assert_differs("are missing", "delete from journal where seq = 40", check="journal")

    def test_a_column_that_was_changed(self):
        self.assert_differs("record 40: its kind or time is another", "update journal set wall_ms = 5 where seq = 40",
                            check="journal")

    def test_a_body_that_was_changed(self):
        self.assert_differs("record 40 cannot be used", "update journal set body = x'c1' where seq = 40", check="journal")

    def test_a_specification_that_is_gone(self):
        self.assert_differs("no blob", "delete from blob", check="journal")

    def test_a_page_that_is_damaged(self):
        self.edit()
        con = sqlite3.connect(self.ran.db)
        page, size = con.execute("select rootpage from sqlite_schema where name = 'journal_study'").fetchone()[0], 4096
        con.close()
        with open(self.ran.db, "r+b") as f:
            f.seek((page - 1) * size + 100)
            f.write(os.urandom(1500))
        found = self.look()
        self.assertEqual(found[0], 2)
        self.said(found, "pages", "FAIL")

    def test_a_file_that_is_cut(self):
        self.edit()
        os.truncate(self.ran.db, os.path.getsize(self.ran.db) // 2)
        found = self.look()
        self.assertEqual(found[0], 2)

    def test_a_file_that_is_none(self):
        for content in (b"", b"this is a letter " * 100):
            os.path.exists(self.ran.db + "-wal") and os.unlink(self.ran.db + "-wal")
            with open(self.ran.db, "wb") as f:
                f.write(content)
            found = self.look()
            self.assertEqual(found[0], 2)
            self.assertTrue(self.said(found, "database", "FAIL"))
        os.unlink(self.ran.db)
        self.assertIn("there is no database", self.said(self.look(), "database", "FAIL"))

    def test_another_version(self):
        self.edit("pragma user_version = 99")
        self.assertIn("newer", self.said(self.look(), "database", "FAIL"))
        self.edit("pragma user_version = 2")
        self.assertIn("older version", self.said(self.look(), "database", "FAIL"))

    def test_in_use(self):
        self.ran.broker_args = ["--ballast", "0"]
        self.ran.broker()
        self.assertIn("open", self.said(self.look(), "database", "FAIL"))


class Machine(DoctorTest):
    def test_a_machine(self):
        found = self.doctor(self.farm(), broker=False)
        for check in ("programs", "key", "clock", "spawn", "root"):
            self.said(found, check, "ok")
        self.assertLess(found[0], 2)

    def test_no_programs(self):
        farm = self.farm()
        alone = os.path.join(farm.dir, "alone")
        os.mkdir(alone)
        shutil.copy(os.path.join(BIN, "tunefarm"), alone)
        done = subprocess.run([os.path.join(alone, "tunefarm"), "doctor", "--json"], env=farm.env, capture_output=True, text=True,
                              timeout=PATIENCE)
        found = done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
        self.said(found, "programs", "warn")
        self.assertIn("could start no program", self.said(found, "spawn", "FAIL"))
        done = subprocess.run([os.path.join(alone, "tunefarm"), "doctor", "--json", "--db", __file__], env=farm.env,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("tunefarm-broker", done.stdout)

    def test_few_open_files(self):
        farm = self.farm()
        done = subprocess.run(["sh", "-c", f'ulimit -n 100; exec "{BIN}/tunefarm" doctor --json'], env=farm.env,
                              capture_output=True, text=True, timeout=PATIENCE)
        found = done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(found[0], 2)
        self.assertIn("100 open files", self.said(found, "descriptors", "FAIL"))

    def test_a_root_that_cannot_be_written(self):
        found = self.doctor(self.farm(), "--root", "/proc/none", broker=False)
        self.assertEqual(found[0], 2)
        self.assertIn("/proc/none", self.said(found, "root", "FAIL"))

    def test_a_key_that_others_may_read(self):
        farm = self.farm()
        path = os.path.join(farm.dir, "farm.key")
        with open(path, "w") as f:
            f.write("public = x\n")
        os.chmod(path, 0o644)
        self.assertIn(path, self.said(self.doctor(farm, "--key", path, broker=False), "key", "FAIL"))

    def test_wrong_options(self):
        done = self.farm().tunefarm("doctor", "--nonsense", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--nonsense", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
