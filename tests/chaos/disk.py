#!/usr/bin/env python3
"""A farm whose broker's disk fails, in four ways, and what the broker has to do about it (docs/reliability.md).

usage: disk.py FAULT [--faults N] [OPTION of campaign.py ...]

  enospc   single writes to the database's log, or to the database, find no room (shim); nothing is lost, the broker lives
  eio      a flush of the log fails, at each commit in turn, and every other time takes what it was to save with it: the
           broker ends within 100 ms, and what it had acknowledged is there at the next start
  power    power is lost at a flush or between messages: the disk forgets what was not flushed, or a part of it
  full     the database is on a small tmpfs that is filled, for some seconds each time: results are recorded meanwhile, new
           trials are not begun, and the farm goes on within 5 s after there is room again; needs a mount namespace

Exit status 77: skipped, with the reason."""
import collections
import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import journal
import wire
from campaign import Campaign, add_verdict, conduct, parser

END_LIMIT = 0.1    # seconds from a failed flush to the broker's end
BACK_LIMIT = 5.0   # seconds from room on the disk to the next grant
TMPFS = 192 << 20


class Disk(Campaign):
    """Faults of the broker's disk by the shim: the broker is armed at each start."""

    def __init__(self, o):
        super().__init__(o)
        self.done_faults, self.longest, self.found = 0, 0.0, journal.Verdict()

    def env_of(self, d):
        env = super().env_of(d)
        if d.role == "broker" and self.faults:
            env["CHAOS_TRACE"] = os.path.join(self.dir, "trace", f"broker-{d.starts:06d}.trace")
            env["CHAOS_TRACE_SENDS"] = "1"
            self.arm(env, d)
        return env

    def begin_faults(self):
        super().begin_faults()
        self.of("broker")[0].kill()  # and so comes back armed

    def quiet(self):
        self.faults = False
        self.of("broker")[0].kill()  # and so comes back with a sound disk
        super().quiet()

    def marks(self, starts):
        """Times (monotonic, s) at which the shim made a call fail in this life of the broker."""
        path = os.path.join(self.dir, "trace", f"broker-{starts:06d}.trace")
        if not os.path.exists(path):
            return []
        return [ns / 1e9 for ns, way, name, _, _ in wire.trace(path) if way == "M" and name == "fail"]

    def drop_trace(self, starts):
        path = os.path.join(self.dir, "trace", f"broker-{starts:06d}.trace")
        if os.path.exists(path):
            os.unlink(path)

    def enough(self):
        return self.done_faults >= self.o.disk_faults

    def judge(self, seconds):
        found = super().judge(seconds)
        found["kills"][self.o.fault] = self.done_faults
        if self.longest:
            found["figures"]["most_ms"] = round(self.longest * 1000)
        add_verdict(found, self.found)
        return found


def refused_to_start(process, status):
    """It ended with a sentence before it served; 5 would be a damaged database, which no fault here makes."""
    return not process.served and status > 0 and status != 5


class NoSpace(Disk):
    """Writes find no room, one in so many; the broker is killed now and then, so that each of its writes has its turn."""

    def arm(self, env, d):
        point = self.rng.choice(("wal.write", "wal.write", "wal.write", "db.write"))
        every = self.rng.choice((10, 30, 100))
        env["CHAOS_FAIL"] = f"{point}:{every}:{errno.ENOSPC}:{-1 if self.rng.random() < 0.7 else self.rng.randrange(50, 1500)}"
        process_of, start = d, d.starts
        self.watch.at(self.rng.uniform(1, 4), lambda: self.next_life(process_of, start))

    def next_life(self, d, start):
        if d.starts == start and d.process and self.faults:
            d.kill()

    def ended(self, d, process, status):
        if d.role == "broker":
            marks = self.marks(d.starts)
            self.done_faults += len(marks)
            self.drop_trace(d.starts)
            if marks and refused_to_start(process, status):  # no room at its start: it says so, and is started again
                d.killed_by_us, status = True, -signal.SIGKILL
        super().ended(d, process, status)


class FailingFlush(Disk):
    def arm(self, env, d):
        """The first commit, the second, ... of a life; those that open the database are among them."""
        env["CHAOS_FAIL"] = f"wal.sync:{d.starts % self.o.commits + 1}:{errno.EIO}:0"
        if d.starts % 2:
            env["CHAOS_FORGET"] = f"{self.rng.choice((0, 50))}:{self.rng.randrange(1 << 30)}"

    def ended(self, d, process, status):
        at = time.monotonic()
        marks = self.marks(d.starts) if d.role == "broker" else []
        if not marks:
            super().ended(d, process, status)
            return
        self.done_faults += 1
        took = at - marks[0]
        opening = refused_to_start(process, status)  # the commit of its start: it says so
        self.found.check("eio", status == -signal.SIGABRT or opening, f"the broker ended with {status} after a failed flush")
        self.found.check("eio", took <= END_LIMIT + self.o.slack, f"the broker lived {took * 1000:.0f} ms after a failed flush")
        self.longest = max(self.longest, took)
        self.check_silence(d, marks[0])
        self.drop_trace(d.starts)
        d.killed_by_us = True
        super().ended(d, process, -signal.SIGKILL)
        self.kills["broker"] -= 1  # it is counted as what it was

    def check_silence(self, d, failed):
        """Nothing that acknowledges leaves after the flush failed."""
        path = os.path.join(self.dir, "trace", f"broker-{d.starts:06d}.trace")
        said = [name for ns, way, name, _, _ in wire.trace(path, ("ACK", "ASSIGN", "REPLY", "EVENTS", "WELCOME"))
                if way == "S" and ns / 1e9 > failed]
        self.found.check("I9", not said, f"the broker said {said} after a failed flush")


class PowerLoss(Disk):
    # Where, and at most at which call for each commit's worth; the database itself is written seldom.
    POINTS = {"wal.sync.before": 1, "wal.sync.after": 1, "wal.write.after": 4, "send.23.before": 2, "send.17.after": 1,
              "db.write.after": 0.1, "db.sync.before": 0.02}

    def arm(self, env, d):
        point = self.rng.choice(("wal.sync.before", *self.POINTS))
        most = max(1, int(self.POINTS[point] * self.o.commits))
        env["CHAOS_AT"] = f"{point}:{self.rng.randint(1, most)}"
        env["CHAOS_FORGET"] = f"{self.rng.choice((0, 30, 70))}:{self.rng.randrange(1 << 30)}"
        if self.o.lies:  # some ACKs after the last flush that counts
            env.update(CHAOS_LIES="1", CHAOS_AT="send.23.before:40", CHAOS_FORGET="0:1")
        process_of, start = d, d.starts
        self.watch.at(4, lambda: self.next_life(process_of, start))

    next_life = NoSpace.next_life

    def ended(self, d, process, status):
        self.drop_trace(d.starts if d.role == "broker" else 0)
        lost = d.role == "broker" and status == -signal.SIGKILL and not d.killed_by_us
        self.done_faults += lost
        d.killed_by_us = d.killed_by_us or lost
        super().ended(d, process, status)
        self.kills["broker"] -= lost  # it is counted as what it was


class Full(Campaign):
    """The tmpfs is filled and freed in turn."""

    def __init__(self, o):
        super().__init__(o)
        self.disk = os.path.join(self.dir, "disk")
        os.makedirs(self.disk, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS},mode=700", "chaos", self.disk], check=True)
        os.symlink(os.path.join(self.disk, "farm.db"), os.path.join(self.dir, "farm.db"))
        self.spans, self.refused, self.done_faults = [], 0, 0

    def database(self):
        return os.path.join(self.disk, "farm.db")

    def begin_faults(self):
        super().begin_faults()
        self.watch.at(3, self.fill)

    def fill(self):
        if not self.faults:
            return
        self.fill_up()
        begun = time.time() * 1000
        self.client("enqueue", self.going()[0] if self.going() else "s0", "x=0.5", "lr=0.5", then=self.answered)
        self.watch.at(self.rng.uniform(1.5, 5), lambda: self.free(begun))

    def fill_up(self):
        """To the last page; the broker takes room meanwhile."""
        try:
            with open(os.path.join(self.disk, "filler"), "ab", buffering=0) as f:
                while f.write(bytes(1 << 16)):
                    continue
        except OSError:
            return

    def answered(self, status):
        self.refused += status != 0

    def free(self, begun):
        if os.path.exists(os.path.join(self.disk, "filler")):
            os.unlink(os.path.join(self.disk, "filler"))
        self.spans.append((begun, time.time() * 1000))
        self.done_faults += 1
        self.watch.at(self.rng.uniform(6, 8), self.fill)

    def enough(self):
        return self.done_faults > self.o.disk_faults

    def judge(self, seconds):
        """Before the disk is gone: what was recorded while it was full, and how soon grants came afterwards."""
        found = super().judge(seconds)
        j, v, late, results = journal.Journal(self.database()), journal.Verdict(), 0, 0
        for begun, ended in self.spans[:-1]:  # after the last one there are no new trials any more
            kinds = collections.Counter(r["kind"] for r in j.records if begun <= r["wall_ms"] <= ended)
            results += kinds["finished"]
            back = next((r["wall_ms"] for r in j.records if r["wall_ms"] > ended and r["kind"] == "granted"), None)
            v.check("room", back is not None, "nothing was granted after the disk had room again")
            late = max(late, (back or ended) - ended)
            v.check("room", late <= BACK_LIMIT * 1000, f"the first grant came {late:.0f} ms after there was room")
        v.check("room", results > 0, "no result was recorded while the disk was full")
        found["kills"]["full disk"] = self.done_faults
        found["figures"].update(most_ms_to_go_on=round(late), results_while_full=results, refused_while_full=self.refused)
        add_verdict(found, v)
        return found

    def close(self):
        super().close()
        if os.path.exists(self.database()):  # what is kept is to outlast the tmpfs
            os.unlink(os.path.join(self.dir, "farm.db"))
            shutil.copy(self.database(), self.dir)
        subprocess.run(["umount", "-l", self.disk], check=False)


FAULTS = {"enospc": NoSpace, "eio": FailingFlush, "power": PowerLoss, "full": Full}


def in_a_namespace():
    """Goes on in a mount namespace of its own, as root of a user namespace where that is needed."""
    if os.environ.get("CHAOS_NAMESPACE"):
        return
    how = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*how, "true"], capture_output=True).returncode != 0:
        print("skipped: no mount namespace can be made here (unshare)")
        sys.exit(77)
    os.environ["CHAOS_NAMESPACE"] = "1"
    os.execvp("unshare", [*how, sys.executable, *sys.argv])


def main():
    p = parser(__doc__.split("\n")[0])
    p.add_argument("fault", choices=sorted(FAULTS))
    p.add_argument("--faults", dest="disk_faults", type=int, default=20, metavar="N", help="end when so many were made")
    p.add_argument("--commits", type=int, default=60, metavar="N", help="eio, power: at one of the first N commits of a life")
    p.add_argument("--slack", type=float, default=0.4, metavar="S", help="eio: what the machine may add to the 100 ms")
    p.add_argument("--lies", action="store_true", help="power: the disk says that it flushed, and does not; the oracle has to see it")
    p.set_defaults(kills={"worker": 4, "optimizer": 2}, freezes=0)
    o = p.parse_args()
    if o.fault == "full":
        in_a_namespace()
        o.pace = max(o.pace, 60)  # trials that last: some run whenever the disk fills up
    return conduct(FAULTS[o.fault](o))


if __name__ == "__main__":
    sys.exit(main())
