"""The named points of a daemon's life at which the shim ends it (shim.h), and which of them were reached how often."""
import collections

import wire


def message(way, name):
    return f"{way}.{wire.NUMBER[name]}"


# name: (point of the shim, at most the k-th call)
BROKER = {
    "while opening, reading the database": ("db.read.before", 8),
    "while opening, before the commit of the epoch": ("wal.sync.before", 1),
    "while opening, after it": ("wal.sync.after", 1),
    "before it says that it serves": ("ready.before", 1),
    "after it said that it serves": ("ready.after", 1),
    "before a commit": ("wal.sync.before", 40),
    "after a commit, before its messages": ("wal.sync.after", 40),
    "in the middle of a commit's writes": ("wal.write.after", 200),
    "HELLO received": (message("recv", "HELLO") + ".after", 4),
    "before WELCOME": (message("send", "WELCOME") + ".before", 4),
    "before ASSIGN": (message("send", "ASSIGN") + ".before", 20),
    "after ASSIGN": (message("send", "ASSIGN") + ".after", 20),
    "before ACK": (message("send", "ACK") + ".before", 60),
    "after ACK, in the middle of the messages": (message("send", "ACK") + ".after", 60),
    "FINAL received": (message("recv", "FINAL") + ".after", 10),
    "PROPOSE received": (message("recv", "PROPOSE") + ".after", 6),
    "before EVENTS": (message("send", "EVENTS") + ".before", 20),
    "before REPLY": (message("send", "REPLY") + ".before", 2),
    "after REPLY": (message("send", "REPLY") + ".after", 2),
    "writing the database from its log": ("db.write.after", 6),
}
WORKER = {
    "ASSIGN received": (message("recv", "ASSIGN") + ".after", 6),
    "before the evaluator's process": ("fork.before", 3),
    "after the evaluator's process": ("fork.after", 3),
    "before START": (message("send", "START") + ".before", 6),
    "after REPORT": (message("send", "REPORT") + ".after", 8),
    "after CHECKPOINT": (message("send", "CHECKPOINT") + ".after", 4),
    "before FINAL": (message("send", "FINAL") + ".before", 6),
    "after FINAL, before its ACK": (message("send", "FINAL") + ".after", 6),
    "ACK received": (message("recv", "ACK") + ".after", 20),
    "WELCOME received": (message("recv", "WELCOME") + ".after", 2),
}
OPTIMIZER = {
    "ATTACHED received": (message("recv", "ATTACHED") + ".after", 1),
    "EVENTS received": (message("recv", "EVENTS") + ".after", 10),
    "WANT received": (message("recv", "WANT") + ".after", 6),
    "before PROPOSE": (message("send", "PROPOSE") + ".before", 6),
    "after PROPOSE": (message("send", "PROPOSE") + ".after", 6),
    "after CLOSE_STUDY": (message("send", "CLOSE_STUDY") + ".after", 1),
}


class Point:
    def __init__(self, role, name, at, most):
        self.role, self.name, self.at, self.most = role, name, at, most

    def arm(self, rng):
        """The shim's CHAOS_AT."""
        return f"{self.at}:{rng.randint(1, self.most)}"


class Points:
    """Which point is next: the one of its role that was reached least. done() when each was reached `goal` times, or was
    tried in vain more often than that."""

    def __init__(self, goal, rng):
        self.goal, self.rng = goal, rng
        self.all = [Point(role, name, at, most) for role, points in
                    (("broker", BROKER), ("worker", WORKER), ("optimizer", OPTIMIZER)) for name, (at, most) in points.items()]
        self.hits, self.misses = collections.Counter(), collections.Counter()

    def next(self, role):
        mine = [p for p in self.all if p.role == role and self.hits[p] < self.goal]
        if not mine:
            return None
        least = min(self.hits[p] + self.misses[p] for p in mine)
        return self.rng.choice([p for p in mine if self.hits[p] + self.misses[p] == least])

    def hit(self, point):
        self.hits[point] += 1

    def missed(self, point):
        self.misses[point] += 1
        point.most = max(1, point.most // 2)

    def done(self):
        return all(self.hits[p] >= self.goal for p in self.all)

    def table(self):
        return {f"{p.role}: {p.name}": (self.hits[p], self.misses[p]) for p in self.all}
