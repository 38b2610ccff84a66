"""The journal of a stopped farm, and the invariants that it alone can show (docs/reliability.md).

A farm's journal is read once into lists; `Verdict` gathers what was checked and what is wrong, each by the invariant's name.
Every check counts what it looked at, so that one that saw nothing is seen."""
import collections
import json
import sqlite3

import wire

FINAL = {"complete", "pruned", "failed", "cancelled"}
ABOUT_ATTEMPT = {"started", "reported", "checkpointed", "stopping", "closed"}


class Verdict:
    def __init__(self):
        self.checked = collections.Counter()
        self.wrong = []

    def check(self, name, holds, text):
        self.checked[name] += 1
        if not holds:
            self.wrong.append((name, text() if callable(text) else text))
        return holds


class Journal:
    """records: all of them in order; by_trial: those of each (study, trial)."""

    def __init__(self, db):
        con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
        con.row_factory = sqlite3.Row
        self.integrity = con.execute("pragma integrity_check").fetchone()[0]
        self.records, self.by_trial = [], collections.defaultdict(list)
        self.rows_of_seq = 0
        self.by_study = collections.defaultdict(list)
        for row in con.execute("select seq, study, study_seq, kind, trial, attempt, step, value, text, body "
                               "from journal order by seq"):
            self._add(row)
        self.meta = dict(con.execute("select key, value from meta").fetchall())
        self.studies = {r["number"]: dict(r) for r in con.execute("select * from study_row")}
        self.trials = {(r["study"], r["number"]): dict(r) for r in con.execute("select * from trial_row")}
        self.requests = {bytes(r["id"]): dict(r) for r in con.execute("select * from request")}
        self.specs = {}
        for number, spec in con.execute("select number, spec from study").fetchall():
            self.specs[number] = json.loads(spec) if spec else {}
        con.close()

    def _add(self, row):
        r = wire.record(row["body"])
        r["columns"] = (row["seq"], row["study"], row["study_seq"], wire.CODES["RECORD"].get(row["kind"]), row["trial"],
                        row["attempt"], row["step"] if "step" in row.keys() else None)
        for name in ("study", "trial", "attempt", "code", "number"):
            r.setdefault(name, 0)
        self.records.append(r)
        if r["study"]:
            self.by_study[r["study"]].append(r)
        if r["kind"] in TRIAL_KINDS:
            self.by_trial[r["study"], r["trial"]].append(r)

    @property
    def last(self):
        return self.records[-1]["seq"] if self.records else 0

    def at(self, seq):
        """The record of this seq, or None."""
        first = self.records[0]["seq"] if self.records else 0
        i = seq - first
        return self.records[i] if 0 <= i < len(self.records) and self.records[i]["seq"] == seq else None


TRIAL_KINDS = {"proposed", "enqueued", "granted", "finished", "queued", "paused"} | ABOUT_ATTEMPT


def check_order(j, v):
    """The farm's and each study's own numbering without gaps, columns as the records say, the file sound."""
    v.check("file", j.integrity == "ok", j.integrity)
    for before, r in zip([None] + j.records, j.records):
        v.check("order", not before or r["seq"] == before["seq"] + 1, lambda: f"seq {r['seq']} follows {before['seq']}")
        mine = (r["seq"], r["study"], r.get("study_seq", 0), r["kind"])
        v.check("order", mine == r["columns"][:4], lambda: f"columns {r['columns']} of record {mine}")
    for study, records in j.by_study.items():
        for place, r in enumerate(records, records[0]["study_seq"]):
            v.check("order", r["study_seq"] == place, lambda: f"study {study}: study_seq {r['study_seq']} at {place}")


def check_ends(j, v):
    """I2 one end a trial; I3 nothing behind it."""
    for key, records in j.by_trial.items():
        ends = [r for r in records if r["kind"] == "finished"]
        v.check("I2", len(ends) <= 1, lambda: f"trial {key} finished {len(ends)} times")
        v.check("I3", not ends or records[-1] is ends[0], lambda: f"trial {key}: {records[-1]['kind']} after its end")


def check_attempts(j, v):
    """I4 steps rise in an attempt; I5 an attempt writes between its grant and its end; I6 numbers 1, 2, 3 ..."""
    for key, records in j.by_trial.items():
        attempt, is_open, step = 0, False, -1
        for r in records:
            kind, mine = r["kind"], r["attempt"]
            if kind == "granted":
                v.check("I6", mine == attempt + 1 and not is_open, lambda: f"trial {key}: grant {mine} after {attempt}")
                step = step if r["code"] == 1 else -1
                attempt, is_open = mine, True
            elif kind in ABOUT_ATTEMPT or (kind == "finished" and mine):
                v.check("I5", is_open and mine == attempt, lambda: f"trial {key}: {kind} of attempt {mine} at {r['seq']}")
            if kind == "reported":
                v.check("I4", r.get("step", 0) > step, lambda: f"trial {key}.{mine}: step {r.get('step', 0)} after {step}")
                step = r.get("step", 0)
            if kind in ("closed", "finished"):
                is_open = False


def check_proposals(j, v):
    """I11 trial numbers and draws dense; a request made its trial once."""
    for study, records in j.by_study.items():
        trials = draws = 0
        requests = collections.Counter()
        for r in records:
            if r["kind"] not in ("proposed", "enqueued"):
                continue
            v.check("I11", r["trial"] == trials, lambda: f"study {study}: trial {r['trial']} where {trials} is next")
            trials += 1
            if r["kind"] == "proposed":
                v.check("I11", r["number"] == draws, lambda: f"study {study}: draw {r['number']} where {draws} is next")
                draws += 1
            elif r.get("who"):
                requests[r["who"], r.get("text")] += 1
        for (who, text), n in requests.items():
            v.check("I11", n == 1, lambda: f"study {study}: request {who.hex()} made {text} {n} times")


def check_pruning(j, v):
    """I13 a trial is pruned for a step that was reported."""
    prune = next(n for n, word in wire.CODES["STOP_WHY"].items() if word == "prune")
    for key, records in j.by_trial.items():
        top = -1
        for r in records:
            if r["kind"] == "reported":
                top = max(top, r.get("step", 0))
            if r["kind"] == "stopping" and r["code"] == prune:
                v.check("I13", r.get("step", 0) <= top, lambda: f"trial {key}: pruned at {r.get('step', 0)}, reported {top}")


def check_retries(j, v, lost_limit=8):
    """I15 crashes and losses within their limits; releases and attempts that never ran do not count."""
    crash, expired = (next(n for n, w in wire.CODES["CLOSE_WHY"].items() if w == word) for word in ("crash", "expired"))
    for key, records in j.by_trial.items():
        retries = j.specs.get(key[0], {}).get("retries", 2)
        crashes = lost = 0
        ran = stopping = False
        for r in records:
            if r["kind"] == "granted":
                ran, stopping = r["code"] == 1, False
            ran |= r["kind"] in ("started", "reported", "checkpointed")
            stopping |= r["kind"] == "stopping"
            if r["kind"] == "closed":
                crashes += r["code"] == crash
                lost += r["code"] == expired and ran and not stopping
        v.check("I15", crashes <= retries, lambda: f"trial {key}: {crashes} crashes were retried, {retries} allowed")
        v.check("I15", lost < lost_limit, lambda: f"trial {key}: lost {lost} times, {lost_limit} is the limit")


def check_checkpoints(j, v):
    """I19, the journal's part: the checkpoints of an attempt do not go back."""
    for key, records in j.by_trial.items():
        attempt, step = 0, -1
        for r in records:
            if r["kind"] == "granted" and r["code"] != 1:
                step = -1
            if r["kind"] == "checkpointed":
                v.check("I19", r.get("step", 0) >= step,
                        lambda: f"trial {key}.{r['attempt']}: checkpoint {r.get('step', 0)} after {step}")
                attempt, step = r["attempt"], r.get("step", 0)


# ---- I20: the rows are the fold ----

class Fold:
    """What the records make of a trial; the rows that people read must say the same."""

    def __init__(self):
        self.state, self.attempt, self.final_attempt = "queued", 0, 0
        self.lost = self.crashes = 0
        self.value = self.step = self.resume = None
        self.seq, self.why = 0, None

    def apply(self, r):
        self.seq = r["seq"]
        method = getattr(self, "on_" + r["kind"], None)
        if method:
            method(r)

    def runs(self):
        if self.state == "leased":
            self.state = "running"

    def on_granted(self, r):
        adopted = r["code"] == 1
        self.state = "running" if adopted else "leased"
        self.attempt, self.why = r["attempt"], None
        if not adopted:
            self.value = self.step = None

    def on_started(self, _):
        self.runs()

    def on_reported(self, r):
        self.step = r.get("step", 0)
        if r.get("has_value"):
            self.value = r.get("value", 0.0)
        self.runs()

    def on_checkpointed(self, r):
        self.resume = r.get("text")
        self.runs()

    def on_stopping(self, r):
        self.state, self.why = "stopping", wire.CODES["STOP_WHY"][r["code"]]

    def on_closed(self, r):
        why = wire.CODES["CLOSE_WHY"][r["code"]]
        self.crashes += why == "crash"
        self.lost += why == "expired" and self.state == "running"
        self.state = "paused" if self.why == "pause" and self.state == "stopping" else "delayed" if r["number"] else "queued"

    def on_queued(self, _):
        self.state = "queued"

    def on_paused(self, _):
        self.state = "paused"

    def on_finished(self, r):
        self.state, self.final_attempt = wire.CODES["TRIAL_STATE"][r["code"]], r["attempt"]
        self.crashes += r["number"] == 1
        self.lost += r["number"] == 2
        self.value = r.get("value", 0.0) if r.get("has_value") else None
        if r.get("has_step"):
            self.step = r.get("step", 0)


ROW = ("attempt", "final_attempt", "lost", "crashes", "value", "step", "seq", "resume")


def check_fold(j, v):
    """I20 after an orderly end: every row of a trial, and the counts of every study, are the fold of the records."""
    v.check("I20", j.meta.get("fold_seq", 0) <= j.last, lambda: f"rows up to {j.meta['fold_seq']} of {j.last}")
    counts = collections.defaultdict(collections.Counter)
    for key, records in j.by_trial.items():
        fold = Fold()
        for r in records:
            fold.apply(r)
        counts[key[0]][fold.state] += 1
        row = j.trials.get(key)
        if not v.check("I20", row is not None, lambda: f"trial {key} has no row"):
            continue
        said = wire.CODES["TRIAL_STATE"][row["state"]]
        v.check("I20", said == fold.state, lambda: f"trial {key}: row {said}, journal {fold.state}")
        for name in ROW:
            mine = getattr(fold, name)
            v.check("I20", row[name] == mine, lambda: f"trial {key}.{name}: row {row[name]}, journal {mine}")
    for number, row in j.studies.items():
        v.check("I20", row["study_seq"] == j.by_study[number][-1]["study_seq"], lambda: f"study {number}: its row is behind")
        for state in ("queued", "complete", "pruned", "failed", "cancelled", "paused", "delayed"):
            v.check("I20", row[state] == counts[number][state],
                    lambda: f"study {number}: {row[state]} {state} in its row, {counts[number][state]} in the journal")


def check_journal(j, v, lost_limit=8):
    check_order(j, v)
    check_ends(j, v)
    check_attempts(j, v)
    check_proposals(j, v)
    check_pruning(j, v)
    check_retries(j, v, lost_limit)
    check_checkpoints(j, v)
    check_fold(j, v)
