#!/usr/bin/env python3
"""The oracle: compares a stopped farm's journal with what its processes said and heard and its evaluators did.

usage: oracle.py DIR [--json]     DIR as campaign.py leaves it: farm.db, evidence, trace/ROLE-*.trace

Prints what is wrong, one line each by the invariant's name, and what was checked; exit status 1 if anything is wrong. The names
are those of docs/reliability.md. Traces come from the shim (shim_trace.c): a worker's says what it was told, whatever it forgot."""
import argparse
import collections
import glob
import json
import os
import sys

import journal
import wire

FOR_OPTIMIZERS = {"proposed", "enqueued", "reported", "finished", "stopping", "study_closed", "study_opened", "study_paused",
                  "study_resumed", "spec_added"}
WORKER = ("HELLO", "CREDIT", "ASSIGN", "START", "REPORT", "CHECKPOINT", "FINAL", "RELEASE", "ACK", "WELCOME", "BEAT_ACK")


def traces(dir_, role):
    return sorted(glob.glob(os.path.join(dir_, "trace", role + "-*.trace")))


def attempt_of(m):
    return m.get("study", 0), m.get("trial", 0), m.get("attempt", 0)


class Attempts:
    """What the journal has of each attempt. Attempts that were adopted are one with the one before: a result of the
    first number stands under the last."""

    def __init__(self, j):
        self.group, self.records, self.granted = {}, collections.defaultdict(list), {}
        for r in j.records:
            key = attempt_of(r)
            if r["kind"] == "granted":
                before = self.group.get((*key[:2], key[2] - 1))
                self.group[key] = before if r["code"] == 1 and before else key
                self.granted[key] = r
            if r["kind"] in journal.TRIAL_KINDS and r["attempt"]:
                self.records[self.group.get(key, key)].append(r)

    def of(self, key, *kinds):
        return [r for r in self.records.get(self.group.get(key, key), ()) if r["kind"] in kinds]


class WorkerTrace:
    """What one worker process sent and was told."""

    def __init__(self, path):
        self.path, self.peer, self.formers = path, None, set()
        self.points = collections.defaultdict(dict)     # attempt: {step: value}
        self.checkpoints = collections.defaultdict(dict)  # attempt: {step: uri}
        self.finals, self.acks, self.assigns, self.adopted, self.welcomes = {}, [], [], [], []
        self.credit, self.granted = collections.Counter(), collections.Counter()
        for _, way, name, session, m in wire.trace(path, WORKER):
            if way != "M":
                getattr(self, f"on_{name.lower()}", lambda *_: None)(session, m)

    def on_hello(self, _, m):
        self.peer = m["peer"]
        self.formers |= {f["peer"] for f in m.get("former", ())}

    def speaks_for(self, who):
        """Itself, or an ended process whose spool it found: what that one was granted goes on here."""
        return who == self.peer or who in self.formers

    def on_credit(self, session, m):
        self.credit[session] = max(self.credit[session], m.get("total", 0))

    def on_assign(self, session, m):
        self.granted[session] += 1
        self.assigns.append(m)

    def on_report(self, _, m):
        for p in m.get("points", ()):
            self.points[attempt_of(m)][p.get("step", 0)] = p.get("value", 0.0) if p.get("has_value") else None

    def on_checkpoint(self, _, m):
        self.checkpoints[attempt_of(m)][m.get("step", 0)] = m.get("uri")

    def on_final(self, _, m):
        self.finals[attempt_of(m)] = m

    def on_ack(self, _, m):
        self.acks.append(m)

    def on_welcome(self, _, m):
        self.welcomes.append(m)
        self.on_beat_ack(0, m)

    def on_beat_ack(self, _, m):
        for verdict in m.get("verdicts", ()):
            if wire.CODES["VERDICT"].get(verdict.get("verdict", 0)) == "adopt":
                self.adopted.append((*attempt_of(verdict)[:2], verdict.get("new_attempt", 0)))


# ---- I1: what workers were acknowledged ----

def acked_start(v, w, attempts, key, m):
    """What is durable is that the attempt runs. One that was adopted does so by its grant, one that is being stopped is not
    set running any more: neither gets a record of its own."""
    known = attempts.of(key, "started", "reported", "checkpointed", "stopping")
    known += [r for r in attempts.of(key, "granted") if r["code"] == 1]
    v.check("I1", known, lambda: f"{w.path}: START of {key}")


def acked_report(v, w, attempts, key, m):
    there = {r.get("step", 0): r.get("value", 0.0) if r.get("has_value") else None for r in attempts.of(key, "reported")}
    for step, value in w.points[key].items():
        if step <= m.get("step", 0):
            v.check("I1", there.get(step, "none") == value, lambda: f"{w.path}: REPORT of {key}, step {step}: {there.get(step)}")


def acked_checkpoint(v, w, attempts, key, m):
    there = {(r.get("step", 0), r.get("text")) for r in attempts.of(key, "checkpointed")}
    step = m.get("step", 0)
    v.check("I1", (step, w.checkpoints[key].get(step)) in there, lambda: f"{w.path}: CHECKPOINT of {key}, step {step}")


def acked_final(v, w, attempts, key, m):
    ends = attempts.of(key, "finished", "closed")
    if not v.check("I1", len(ends) > 0, lambda: f"{w.path}: FINAL of {key} is in no record"):
        return
    sent = w.finals.get(key)
    if sent and wire.CODES["FINAL_STATUS"][sent.get("status", 0)] == "ok" and sent.get("has_value"):
        last = ends[-1]
        v.check("I1", last["kind"] == "finished" and last.get("value", 0.0) == sent.get("value", 0.0),
                lambda: f"{w.path}: FINAL of {key}: sent {sent.get('value')}, recorded {last['kind']} {last.get('value')}")


def acked_release(v, w, attempts, key, m):
    v.check("I1", attempts.of(key, "finished", "closed"), lambda: f"{w.path}: RELEASE of {key}")


ACKED = {"START": acked_start, "REPORT": acked_report, "CHECKPOINT": acked_checkpoint, "FINAL": acked_final,
         "RELEASE": acked_release}


def last_checkpoint(j, key, grant):
    """The checkpoint that a grant goes on from: the last that was recorded before it."""
    uri = ""
    for r in j.by_trial[key[:2]]:
        if r["seq"] >= grant["seq"]:
            break
        if r["kind"] == "checkpointed":
            uri = r.get("text", "")
    return uri


def check_assign(j, v, w, attempts, m):
    """I9, I6 what was handed out is recorded, for this worker; I19 with the checkpoint that was recorded last."""
    key = attempt_of(m)
    grant = attempts.granted.get(key)
    if v.check("I9", grant and grant.get("who") == w.peer, lambda: f"{w.path}: ASSIGN of {key} is not the journal's grant"):
        resume = last_checkpoint(j, key, grant)
        v.check("I19", m.get("resume", "") == resume, lambda: f"{w.path}: {key} resumes {m.get('resume')}, recorded {resume}")


def check_workers(j, v, dir_, attempts):
    owners = collections.defaultdict(set)
    for path in traces(dir_, "worker"):
        w = WorkerTrace(path)
        for m in w.acks:
            ACKED[wire.KINDS[m["of"]][0]](v, w, attempts, attempt_of(m), m)
        for m in w.assigns:
            check_assign(j, v, w, attempts, m)
            owners[attempt_of(m)].add(w.peer)
        for key in w.adopted:
            grant = attempts.granted.get(key)
            v.check("I9", grant and grant["code"] == 1 and w.speaks_for(grant.get("who")), lambda: f"{path}: adopted as {key}")
        for m in w.welcomes:
            v.check("I9", m.get("seq", 0) <= j.last, lambda: f"{path}: WELCOME says {m.get('seq')}, the journal ends at {j.last}")
        for session, n in w.granted.items():
            v.check("I7", n <= w.credit[session], lambda: f"{path}: {n} grants for a credit of {w.credit[session]}")
    for key, peers in owners.items():
        v.check("I6", len(peers) == 1, lambda: f"attempt {key} was sent to {len(peers)} workers")


# ---- evaluators ----

def read_evidence(dir_):
    runs, results = [], {}
    path = os.path.join(dir_, "evidence")
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                what, study, trial, attempt, *rest = line.split()
                key = (study, int(trial), int(attempt))
                if what == "run":
                    runs.append((key, rest[1]))
                else:
                    results[key] = float(rest[0])
    return runs, results


def check_evaluators(j, v, dir_, attempts):
    """Each attempt ran once, from the recorded checkpoint; a recorded result is the one that its attempt made, and no
    attempt's result was counted twice."""
    numbers = {row["name"]: number for number, row in j.studies.items()}
    runs, results = read_evidence(dir_)
    seen = set()
    for (study, trial, attempt), resume in runs:
        key = (numbers.get(study, 0), trial, attempt)
        v.check("I6", key not in seen, lambda: f"attempt {key} ran twice")
        seen.add(key)
        grant = attempts.granted.get(key)
        if v.check("I9", grant, lambda: f"attempt {key} ran, and was never granted"):
            recorded = last_checkpoint(j, key, grant) or "-"
            v.check("I19", resume == recorded, lambda: f"attempt {key} went on from {resume}, recorded {recorded}")
    counted = collections.Counter()
    made = {(numbers.get(s, 0), t, a): loss for (s, t, a), loss in results.items()}
    by_group = {}
    for key, loss in made.items():
        by_group[attempts.group.get(key, key)] = (key, loss)
    for r in j.records:
        if r["kind"] != "finished" or wire.CODES["TRIAL_STATE"][r["code"]] != "complete":
            continue
        key, loss = by_group.get(attempts.group.get(attempt_of(r)), (None, None))
        if v.check("once", key is not None and loss == r.get("value"),
                   lambda: f"trial {attempt_of(r)} is complete with {r.get('value')}, its evaluator made {loss}"):
            counted[key] += 1
    for key, n in counted.items():
        v.check("once", n == 1, lambda: f"the result of {key} was counted {n} times")
    return {"runs": len(runs), "results": len(results), "counted": sum(counted.values())}


# ---- optimizers ----

def same_record(mine, told):
    return mine is not None and all(mine.get(k, 0) == told.get(k, 0) for k in
                                    ("study", "study_seq", "kind", "trial", "attempt", "step", "value", "text", "code", "number"))


class Stream:
    """What one attachment of an optimizer was told: a study's records, in order, none left out that it needs."""

    def __init__(self, study, path):
        self.study, self.path, self.upto = study, path, 0

    def feed(self, j, v, m):
        known = j.by_study[self.study]
        at, upto = self.upto, m.get("upto", 0)
        told = {r["study_seq"]: r for r in m.get("records", ())}
        v.check("I8", upto >= at and upto <= len(known), lambda: f"{self.path}: upto {upto} after {at}, of {len(known)}")
        order = [r["study_seq"] for r in m.get("records", ())]
        v.check("I8", order == sorted(set(order)) and (not order or order[0] > at),
                lambda: f"{self.path}: study {self.study}: {order} after {at}")
        for place in range(at + 1, min(upto, len(known)) + 1):
            mine = known[place - 1]
            if place in told or mine["kind"] in FOR_OPTIMIZERS:
                v.check("I8", place in told and same_record(mine, told[place]),
                        lambda: f"{self.path}: study {self.study}: told {told.get(place)}, recorded {mine}")
        self.upto = max(at, upto)


def check_optimizers(j, v, dir_):
    """I8 the streams; I12 a proposal was made by the optimizer that had the study then."""
    made = collections.defaultdict(set)
    for path in traces(dir_, "optimizer"):
        streams = {}
        for _, way, name, session, m in wire.trace(path, ("ATTACHED", "EVENTS", "PROPOSE")):
            key = (session, m.get("study", 0), m.get("epoch", 0))
            if name == "ATTACHED":
                streams[key] = Stream(m["study"], path)
            elif name == "EVENTS" and way == "R" and key in streams:
                streams[key].feed(j, v, m)
            elif name == "PROPOSE":
                for p in m.get("proposals", ()):
                    made[m["study"], p.get("draw", 0)].add((m["epoch"], p.get("params")))
    if not traces(dir_, "optimizer"):
        return
    for study, records in j.by_study.items():
        epoch = 0
        for r in records:
            if r["kind"] == "attached":
                v.check("I12", r["number"] == epoch + 1, lambda: f"study {study}: epoch {r['number']} after {epoch}")
                epoch = r["number"]
            elif r["kind"] == "proposed":
                v.check("I12", (epoch, r.get("text")) in made[study, r["number"]],
                        lambda: f"study {study}: draw {r['number']} is not what the optimizer of epoch {epoch} proposed")


# ---- clients ----

CHANGES = ("SUBMIT", "ENQUEUE", "CANCEL", "PAUSE", "RESUME")


def check_clients(j, v, dir_):
    """I1 for people: an answer OK to a change stands in the database, with what it made."""
    enqueued = collections.Counter(r.get("who") for r in j.records if r["kind"] == "enqueued")
    answered = 0
    for path in traces(dir_, "client"):
        asked = {}
        for _, way, name, _, m in wire.trace(path, CHANGES + ("REPLY",)):
            if way == "S":
                asked[m.get("request")] = name
            elif way == "R" and m.get("request") in asked and m.get("name") == "OK":
                answered += 1
                kept = j.requests.get(m["request"])
                name = asked[m["request"]]
                v.check("I1", kept and kept["text"] == m.get("text") and (kept["number"] or 0) == m.get("number", 0),
                        lambda: f"{path}: the answer to {name} is not kept")
                v.check("I1", m.get("seq", 0) <= j.last, lambda: f"{path}: REPLY says seq {m.get('seq')}")
                if name == "ENQUEUE":
                    v.check("I1", enqueued[m["request"]] == 1, lambda: f"{path}: ENQUEUE made {enqueued[m['request']]} trials")
    return answered


def judge(dir_, lost_limit=8):
    """The Verdict over a campaign's directory, and figures of what the farm did."""
    v = journal.Verdict()
    j = journal.Journal(os.path.join(dir_, "farm.db"))
    attempts = Attempts(j)
    journal.check_journal(j, v, lost_limit)
    check_workers(j, v, dir_, attempts)
    figures = check_evaluators(j, v, dir_, attempts)
    check_optimizers(j, v, dir_)
    figures["client_answers"] = check_clients(j, v, dir_)
    kinds = collections.Counter(r["kind"] for r in j.records)
    figures.update(records=len(j.records), trials=len(j.by_trial), finished=kinds["finished"], granted=kinds["granted"],
                   adopted=sum(1 for r in j.records if r["kind"] == "granted" and r["code"] == 1), starts=j.meta.get("epoch", 0))
    return v, figures


def main():
    p = argparse.ArgumentParser(description="Compares a stopped farm's journal with the evidence beside it.")
    p.add_argument("dir")
    p.add_argument("--lost-limit", type=int, default=8)
    p.add_argument("--json", action="store_true")
    o = p.parse_args()
    v, figures = judge(o.dir, o.lost_limit)
    if o.json:
        print(json.dumps({"checked": v.checked, "wrong": v.wrong, **figures}))
    else:
        for name, text in v.wrong[:50]:
            print(f"{name}: {text}")
        print(", ".join(f"{k} {n}" for k, n in sorted(v.checked.items())))
        print(f"{sum(v.checked.values())} checks, {len(v.wrong)} violations")
    return 1 if v.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
