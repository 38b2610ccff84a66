"""A short campaign, and the oracle on doctored copies of what it left: every kind of fault that it is there to find is found."""
import glob
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import oracle  # noqa: E402
import wire  # noqa: E402

SECONDS = os.environ.get("TUNEFARM_CHAOS_SECONDS", "25")
KEY = {name: key for key, (name, _) in wire.STRUCTS["record"].items()}
CODE = {group: {word: n for n, word in words.items()} for group, words in wire.CODES.items()}


def pack(value):
    """msgpack of what a record holds."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value) if value >= 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        return b"\xdb" + struct.pack(">I", len(raw)) + raw
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())


def read(db):
    con = sqlite3.connect(db)
    records = [wire.record(body) for (body,) in con.execute("select body from journal order by seq")]
    con.close()
    return records


def write(db, records):
    """Replaces the journal; numbers are given anew, so that a doctored one has no gap."""
    con = sqlite3.connect(db)
    con.execute("delete from journal")
    places = {}
    for seq, r in enumerate(records, 1):
        study = r.get("study", 0)
        r["seq"] = seq
        if study:
            r["study_seq"] = places[study] = places.get(study, 0) + 1
        kind = wire.RECORD[r["kind"]]
        body = pack({KEY[n]: (kind if n == "kind" else v) for n, v in r.items()})
        con.execute("insert into journal values(?,?,?,?,0,?,?,?,?,?,?)",
                    (seq, study, r.get("study_seq", 0), kind, r.get("trial", 0), r.get("attempt"), r.get("step"),
                     r.get("value"), r.get("text"), body))
    con.commit()
    con.close()


def find(records, kind, which=10, **fields):
    """Place of the which-th record of this kind that has these fields."""
    places = [i for i, r in enumerate(records) if r["kind"] == kind and all(r.get(k, 0) == v for k, v in fields.items())]
    return places[min(which, len(places) - 1)]


def completed(records):
    return find(records, "finished", code=CODE["TRIAL_STATE"]["complete"])


# Each takes the records and changes them as no sound farm ever would.

def lose_a_final(records):
    del records[completed(records)]


def double_a_final(records):
    i = completed(records)
    records.insert(i + 1, dict(records[i]))


def report_after_the_end(records):
    i = completed(records)
    records.insert(i + 1, dict(records[i], kind="reported", step=99, has_step=True))


def repeat_a_step(records):
    i = find(records, "reported")
    records.insert(i + 1, dict(records[i]))


def write_without_a_grant(records):
    i = find(records, "granted")
    key = {k: records[i].get(k, 0) for k in ("study", "trial", "attempt")}
    records.insert(i, dict(key, kind="reported", step=0, has_step=True))


def reuse_an_attempt(records):
    i = completed(records)
    r = records[i]
    grant = next(g for g in records[i::-1] if g["kind"] == "granted" and g.get("trial") == r.get("trial") and g["study"] == r["study"])
    records[i:i] = [{"study": r["study"], "trial": r.get("trial", 0), "attempt": r["attempt"], "kind": "closed", "code": 2}, dict(grant)]


def skip_an_attempt(records):
    i = find(records, "granted")
    records[i] = dict(records[i], attempt=records[i]["attempt"] + 1)


def lose_a_proposal(records):
    del records[find(records, "proposed")]


def repeat_an_enqueue(records):
    i = find(records, "enqueued")
    after = [r for r in records if r.get("study") == records[i]["study"] and r["kind"] in ("proposed", "enqueued")]
    records.append(dict(records[i], trial=len(after)))


def alter_a_proposal(records):
    i = find(records, "proposed")
    records[i] = dict(records[i], text=records[i]["text"].replace("0.", "1.", 1))


def grant_to_another(records):
    i = find(records, "granted")
    records[i] = dict(records[i], who=bytes(16))


def alter_a_result(records):
    i = completed(records)
    records[i] = dict(records[i], value=records[i]["value"] + 1e-9)


def alter_a_checkpoint(records):
    for i, r in enumerate(records):
        if r["kind"] == "checkpointed":
            records[i] = dict(r, text="mem:elsewhere")


def prune_for_nothing(records):
    i = completed(records)
    key = {k: records[i].get(k, 0) for k in ("study", "trial", "attempt")}
    records.insert(i, dict(key, kind="stopping", code=CODE["STOP_WHY"]["prune"], step=1000))


def retry_for_ever(records):
    i = completed(records)
    key = {k: records[i].get(k, 0) for k in ("study", "trial")}
    grant = next(g for g in records[i::-1] if g["kind"] == "granted" and g.get("trial") == key["trial"] and g["study"] == key["study"])
    attempt = records[i]["attempt"]
    more = []
    for n in range(4):
        more += [dict(key, kind="closed", attempt=attempt + n, code=CODE["CLOSE_WHY"]["crash"]), dict(grant, attempt=attempt + n + 1)]
    records[i:i + 1] = more + [dict(records[i], attempt=attempt + 4)]


RECORDS = {
    lose_a_final: {"I1", "I20"}, double_a_final: {"I2"}, report_after_the_end: {"I3"}, repeat_a_step: {"I4"},
    write_without_a_grant: {"I5"}, reuse_an_attempt: {"I6"}, skip_an_attempt: {"I6", "I5"}, lose_a_proposal: {"I11"},
    repeat_an_enqueue: {"I11"}, alter_a_proposal: {"I12", "I8"}, grant_to_another: {"I9"}, alter_a_result: {"once", "I1"},
    alter_a_checkpoint: {"I1"}, prune_for_nothing: {"I13"}, retry_for_ever: {"I15"},
}


def alter_a_row(dir_):
    con = sqlite3.connect(os.path.join(dir_, "farm.db"))
    con.execute("update trial_row set value = value + 1 where number = 5")
    con.commit()


def forget_an_answer(dir_):
    con = sqlite3.connect(os.path.join(dir_, "farm.db"))
    con.execute("delete from request")
    con.commit()


def leave_a_gap(dir_):
    con = sqlite3.connect(os.path.join(dir_, "farm.db"))
    con.execute("delete from journal where seq = 20")
    con.commit()


def run_an_attempt_twice(dir_):
    with open(os.path.join(dir_, "evidence")) as f:
        line = next(line for line in f if line.startswith("run "))
    with open(os.path.join(dir_, "evidence"), "a") as f:
        f.write(line)


def resume_from_elsewhere(dir_):
    path = os.path.join(dir_, "evidence")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace(" -\n", " mem:elsewhere\n", 1))


def entries(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at + 16 <= len(data):
        n = struct.unpack_from("=I", data, at + 8)[0]
        yield data[at:at + 16 + n]
        at += 16 + n


def change_traces(dir_, role, change):
    for path in glob.glob(os.path.join(dir_, "trace", role + "-*.trace")):
        out = b"".join(change(e) for e in list(entries(path)))
        with open(path, "wb") as f:
            f.write(out)


def of_kind(entry, name):
    return len(entry) > 21 and entry[16 + 5] == wire.NUMBER[name]


def tell_twice(dir_):
    change_traces(dir_, "optimizer", lambda e: e + e if of_kind(e, "EVENTS") else e)


def tell_with_a_hole(dir_):
    """The first records of each attachment never came."""
    begun = set()

    def change(e):
        if of_kind(e, "ATTACHED"):
            begun.add(True)
        elif of_kind(e, "EVENTS") and begun:
            begun.clear()
            return b""
        return e
    change_traces(dir_, "optimizer", change)


def grant_beyond_credit(dir_):
    change_traces(dir_, "worker", lambda e: b"" if of_kind(e, "CREDIT") else e)


FILES = {alter_a_row: {"I20"}, forget_an_answer: {"I1"}, leave_a_gap: {"order"}, run_an_attempt_twice: {"I6"},
         resume_from_elsewhere: {"I19"},
         tell_twice: {"I8"}, tell_with_a_hole: {"I8"}, grant_beyond_credit: {"I7"}}


class Campaign(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="tf-chaos-")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.dir = os.path.join(cls.root, "campaign")
        os.mkdir(cls.dir)
        cls.done = subprocess.run([sys.executable, os.path.join(HERE, "campaign.py"), "--time-limit", SECONDS, "--dir", cls.dir, "--check",
                                   "--keep", "--kills", "broker=12,worker=15,optimizer=8,client=8,child=8", "--freezes", "8"],
                                  capture_output=True, text=True, timeout=900)

    def test_campaign(self):
        """Kills of every kind and no violation; the oracle saw something of each invariant that can show here."""
        print(self.done.stdout, self.done.stderr)
        self.assertEqual(self.done.returncode, 0)
        v, figures = oracle.judge(self.dir)
        for name in ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I11", "I12", "I15", "I19", "I20", "once"):
            self.assertGreater(v.checked[name], 0, name)
        self.assertGreater(figures["starts"], 3)

    def doctored(self, name):
        copy = os.path.join(self.root, name)
        shutil.copytree(self.dir, copy, ignore=shutil.ignore_patterns("w[0-9]*", "study-*", "b", "b.feed"))
        self.addCleanup(shutil.rmtree, copy)
        return copy

    def expect(self, copy, wanted):
        found = {name for name, _ in oracle.judge(copy)[0].wrong}
        self.assertTrue(wanted <= found, f"expected {wanted}, the oracle says {found}")

    def test_doctored_journals_are_caught(self):
        for doctor, wanted in RECORDS.items():
            with self.subTest(doctor.__name__):
                copy = self.doctored(doctor.__name__)
                records = read(os.path.join(copy, "farm.db"))
                doctor(records)
                write(os.path.join(copy, "farm.db"), records)
                self.expect(copy, wanted)

    def test_doctored_files_are_caught(self):
        for doctor, wanted in FILES.items():
            with self.subTest(doctor.__name__):
                copy = self.doctored(doctor.__name__)
                doctor(copy)
                self.expect(copy, wanted)

    def test_rewriting_alone_is_no_fault(self):
        """What the doctored journals have beside their fault."""
        copy = self.doctored("sound")
        write(os.path.join(copy, "farm.db"), read(os.path.join(copy, "farm.db")))
        self.assertEqual(oracle.judge(copy)[0].wrong, [])


def run(script, *args):
    """A campaign with a directory of its own; its exit status and what it printed."""
    with tempfile.TemporaryDirectory(prefix="tf-chaos-") as root:
        done = subprocess.run([sys.executable, os.path.join(HERE, script), *args, "--dir", os.path.join(root, "farm")],
                              capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout + done.stderr


class Faults(unittest.TestCase):
    """Each further campaign for some seconds; the long ones are run by tests/chaos/run."""

    def sound(self, script, *args):
        status, said = run(script, *args)
        if status == 77:
            self.skipTest(said.strip())
        self.assertEqual(status, 0, said)
        print(said)

    def test_partitions(self):
        self.sound("partitions.py", "--partitions", "25", "--time-limit", "12")

    def test_namespaces(self):
        self.sound("namespaces.py", "--partitions", "15", "--time-limit", "10")

    def test_failing_flushes(self):
        self.sound("disk.py", "eio", "--faults", "8", "--time-limit", "60", "--slack", "2")

    def test_no_space(self):
        self.sound("disk.py", "enospc", "--faults", "15", "--time-limit", "10")

    def test_power_loss(self):
        self.sound("disk.py", "power", "--faults", "4", "--commits", "30", "--time-limit", "60")

    def test_full_disk(self):
        self.sound("disk.py", "full", "--faults", "1", "--time-limit", "60")

    def test_a_disk_that_lies_is_caught(self):
        status, said = run("disk.py", "power", "--lies", "--faults", "2", "--time-limit", "60", "--patience", "3")
        self.assertEqual(status, 1, said)
        self.assertRegex(said, "WRONG I[19]")


if __name__ == "__main__":
    unittest.main(verbosity=2)
