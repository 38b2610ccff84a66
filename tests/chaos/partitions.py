#!/usr/bin/env python3
"""A farm over TCP whose network breaks: every worker and optimizer reaches the broker through a link of chaos-proxy.

usage: partitions.py [--partitions N] [OPTION of campaign.py ...]

Links are cut, one-way or both, stall, lose, delay, are reset or left half open, for 0.3 to 5 s, at times drawn by the seed; now
and then all workers' at once, so that nobody is left to take a lost trial. Beside the oracle's invariants:

  requeue   an attempt whose worker is cut off for longer is given up within the lease and 2 s
  zombie    a result that comes after that is refused, or adopted into the next attempt"""
import collections
import json
import os
import socket
import subprocess
import sys
import time

import journal
import oracle
import wire
from campaign import LEASE, Campaign, add_verdict, conduct, parser
from daemons import TESTS

SLACK = 2.0  # seconds beyond the lease

# name: (commands that break a link, commands that mend it, whether the broker hears nothing meanwhile)
PASS = ("up pass", "down pass")
BREAKS = {
    "cut": (("up stall", "down stall"), PASS, True),
    "cut with loss": (("up drop", "down drop"), PASS, True),
    "one way, to the broker": (("up stall",), PASS, True),
    "one way, from the broker": (("down stall",), PASS, False),
    "one way with loss": (("down drop",), PASS, False),
    "half open": (("halfopen",), ("reset",), True),
    "reset": (("reset",), (), False),
    "refused": (("refuse on", "reset"), ("refuse off",), True),
}


def quality(rng):
    """A bad link: delayed up to 2 s, or losing 1 to 30 %."""
    if rng.random() < 0.5:
        return f"delay {rng.randrange(0, 1000)} {rng.randrange(0, 1000)}", "delay 0 0", "delayed"
    return f"loss {rng.randrange(1, 31)}", "loss 0", "lossy"


class Partitions(Campaign):
    breaks, whole_cut = BREAKS, "cut"

    def __init__(self, o):
        super().__init__(o)
        self.cuts = []  # (worker's name, wall ms of the cut, of its end)
        self.broken = collections.Counter()
        self.port, self.busy = free_port(), set()
        self.open_links()

    def open_links(self):
        self.links = self.o.workers + self.o.optimizers
        self.proxy = subprocess.Popen([os.path.join(TESTS, "chaos-proxy"), str(self.port), str(self.links), str(self.o.seed)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.ports = {}
        for line in self.proxy.stdout:
            if line.startswith("ready"):
                break
            _, link, port = line.split()
            self.ports[int(link)] = int(port)

    def listens(self):
        return ["--listen", self.listen, "--listen", f"tcp://127.0.0.1:{self.port}"]

    def link_of(self, role, number):
        return number if role == "worker" else self.o.workers + number

    def address(self, role, number):
        return f"tcp://127.0.0.1:{self.ports[self.link_of(role, number)]}"

    def tell(self, link, *commands):
        for text in commands:
            self.proxy.stdin.write(f"{link} {text}\n")
        self.proxy.stdin.flush()

    def begin_faults(self):
        super().begin_faults()
        self.every(self.o.time_limit / self.o.partitions, self.break_one)
        self.every(self.o.time_limit / max(1, self.o.partitions // 40), self.cut_all)
        self.every(self.o.time_limit / max(1, self.o.partitions // 4), self.worsen_one)

    def break_one(self):
        free = [i for i in range(self.links) if i not in self.busy]
        if free:
            self.break_link(self.rng.choice(free), self.rng.choice(sorted(self.breaks)), self.rng.choice((0.3, 0.8, 1.5, 4, 5)))

    def cut_all(self):
        """Every worker at once: what they hold expires and waits, and is adopted when they return."""
        seconds = self.rng.choice((1.5, 4))
        for i in range(self.o.workers):
            if i not in self.busy:
                self.break_link(i, self.whole_cut, seconds + self.rng.random())

    def break_link(self, link, how, seconds):
        commands, mend, silent = self.breaks[how]
        self.busy.add(link)
        self.broken[how] += 1
        self.kills["partitions"] += 1
        begun = time.time() * 1000
        self.tell(link, *commands)

        def mended():
            if silent and link < self.o.workers:
                self.cuts.append((f"w{link}", begun, time.time() * 1000))
            self.tell(link, *mend)
            self.busy.discard(link)
        self.watch.at(seconds, mended)

    def worsen_one(self):
        link = self.rng.randrange(self.links)
        worse, well, name = quality(self.rng)
        self.broken[name] += 1
        self.tell(link, worse)
        self.watch.at(self.rng.uniform(0.5, 4), lambda: self.tell(link, well))

    def quiet(self):
        self.faults = False
        for link in range(self.links):
            self.tell(link, *PASS, "refuse off", "delay 0 0", "loss 0", "reset")
        super().quiet()

    def close(self):
        super().close()
        self.proxy.stdin.close()
        self.proxy.wait(10)

    def judge(self, seconds):
        found = super().judge(seconds)
        found["figures"].update({f"{how} links": n for how, n in sorted(self.broken.items())})
        v = journal.Verdict()
        j = journal.Journal(os.path.join(self.dir, "farm.db"))
        late = check_requeue(j, v, self.cuts, LEASE[self.o.timers])
        found["figures"].update(most_ms_to_requeue=round(late), **zombies(j, self.dir))
        add_verdict(found, v)
        return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check_requeue(j, v, cuts, lease):
    """What a worker held when it was cut off was given up in time; the longest wait in milliseconds."""
    names = collections.defaultdict(set)
    for r in j.records:
        if r["kind"] == "worker_joined":
            names[name_of(r)].add(r["who"])
    spans = attempts_by_worker(j)
    longest = 0
    for name, begun, ended in cuts:
        limit = (lease + SLACK) * 1000
        if ended - begun < limit:
            continue
        for who in names[name]:
            for key, opened, closed in spans[who]:
                if opened < begun < closed:
                    longest = max(longest, closed - begun)
                    v.check("requeue", closed - begun <= limit,
                            lambda: f"attempt {key} of {name} was given up {closed - begun:.0f} ms after the cut")
    return longest


def name_of(joined):
    return json.loads(joined.get("text") or "{}").get("name", "")


def attempts_by_worker(j):
    """worker: [(attempt, wall ms of its grant, of its end)]."""
    out = collections.defaultdict(list)
    for key, records in j.by_trial.items():
        grant = None
        for r in records:
            if r["kind"] == "granted":
                grant = r
            elif r["kind"] in ("closed", "finished") and grant:
                out[grant["who"]].append(((*key, grant["attempt"]), grant["wall_ms"], r["wall_ms"]))
                grant = None
    return out


def answers(name, m):
    """What a message of the broker says about attempts: (attempt, word)."""
    if name in ("ACK", "NAK") and wire.KINDS[m["of"]][0] == "FINAL":
        yield oracle.attempt_of(m), "adopted" if name == "ACK" else "refused"
    for verdict in m.get("verdicts", ()):
        word = wire.CODES["VERDICT"].get(verdict.get("verdict", 0))
        if word in ("kill", "adopt"):
            yield oracle.attempt_of(verdict), "refused" if word == "kill" else "adopted"


def zombies(j, dir_):
    """Results of attempts that had been given up: how many came, and what became of them. (That one which was acknowledged
    stands in the journal is I1.) One is unanswered when its worker ended first."""
    expired = {oracle.attempt_of(r) for r in j.records
               if r["kind"] == "closed" and wire.CODES["CLOSE_WHY"][r["code"]] == "expired"}
    out = collections.Counter(zombie_results=0, zombies_refused=0, zombies_adopted=0)
    for path in oracle.traces(dir_, "worker"):
        waiting = set()
        for _, way, name, _, m in wire.trace(path, ("FINAL", "ACK", "NAK", "WELCOME", "BEAT_ACK")):
            if name == "FINAL" and oracle.attempt_of(m) in expired:
                waiting.add(oracle.attempt_of(m))
            for key, word in answers(name, m) if way == "R" else ():
                if key in waiting:
                    waiting.discard(key)
                    out["zombie_results"] += 1
                    out["zombies_" + word] += 1
        out["zombies_unanswered"] += len(waiting)
    return dict(out)


def options(about):
    p = parser(about)
    p.add_argument("--partitions", type=int, default=60, metavar="N")
    p.set_defaults(kills={"broker": 2, "worker": 3, "client": 2}, freezes=2)
    return p.parse_args()


if __name__ == "__main__":
    sys.exit(conduct(Partitions(options(__doc__.split("\n")[0]))))
