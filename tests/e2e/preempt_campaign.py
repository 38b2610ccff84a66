"""A campaign of preemptions with real processes: how surely, and how long before the machine goes, is everything given back?

    tests/e2e/preempt_campaign.py [--build build/release] [--waves 20] [--notice 2]

A farm runs four studies, whose evaluators answer a question for a checkpoint by a line, by a signal, not at all, or hang. Two
workers with a slot for each study stand for spot machines; one after another gets its notice, from a stand-in of aws's
metadata service, and a new one takes its place. Prints, for each kind of evaluator, how many attempts were taken away, how
many were in the journal as given back before the deadline, with a checkpoint or without, and how long before; and fails if
one that obeys was late, or anything was counted as a crash or a loss. Not a test of its own: it takes minutes."""
import argparse
import json
import math
import os
import shutil
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
KINDS = {"obeys": ("line", "line"), "by signal": ("signal", "SIGUSR1"), "ignores": ("ignore", "line"), "hangs": ("hang", "line")}


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    p.add_argument("--waves", type=int, default=20)
    p.add_argument("--notice", type=int, default=2, help="seconds")
    return p.parse_args()


def submit(farm, name, mode, ask):
    spec = {"study": name, "space": {"x": {"float": [0, 1]}}, "sampler": {"name": "random"}, "retries": 0, "parallel": 2,
            "objective": {"command": ["python3", "interruptible.py", "--mode", mode, "--steps", "1000000", "--sleep-ms", "50"],
                          "files": ["interruptible.py", "tunefarm_report.py"], "checkpoint": {"ask": ask}}}
    path = farm.write_study(spec)
    for source in (os.path.join(HERE, "interruptible.py"), os.path.join(ROOT, "clients", "report", "tunefarm_report.py")):
        shutil.copy(source, os.path.dirname(path))
    farm.tunefarm("submit", path)


class Machine:
    """A worker and its metadata service."""

    def __init__(self, farm, number):
        self.farm, self.number, self.service = farm, number, Metadata("aws")
        farm.worker(number, len(KINDS), "--name", f"m{number}", "--checkpoints", os.path.join(farm.dir, "shared"), "--cloud", "aws",
                    "--cloud-address", self.service.address, "--cloud-every", "200ms")

    def runs(self):
        """What it runs: rows of (study, trial, attempt), once all have reported something."""
        rows = self.farm.sql(f"""select study, number, attempt from trial where worker = 'm{self.number}' and state = 'running'
                                 and step is not null""")
        return rows if len(rows) == len(KINDS) else None

    def take_away(self, notice):
        """Gives notice and waits for its end; the deadline (wall clock) and how long before it the process was gone."""
        deadline = math.ceil(time.time()) + notice  # the service tells whole seconds
        self.service.deadline = deadline
        status = self.farm.processes.pop(f"worker{self.number}").wait(60)
        gone = time.time()
        self.service.close()
        assert status == 0, self.farm.log(f"worker{self.number}")
        return deadline, deadline - gone


def ends_of(farm, row, deadline):
    """(seconds before the deadline of its release, whether a checkpoint came with it) of an attempt."""
    def closed():
        return farm.sql(f"""select kind, (julianday(time) - 2440587.5) * 86400.0 as at from event where kind in ('closed', 'checkpointed')
                            and study = (select number from study where name = '{row["study"]}') and trial = {row["number"]}
                            and attempt = {row["attempt"]} order by seq""")
    rows = farm.wait(lambda: [r for r in closed() if r["kind"] == "closed"] and closed(), "the release")
    at = [r["at"] for r in rows if r["kind"] == "closed"][0]
    return deadline - at, any(r["kind"] == "checkpointed" for r in rows)


def campaign(o, farm):
    farm.broker()
    farm.optimizer()
    for name, (mode, ask) in KINDS.items():
        submit(farm, name.replace(" ", "-"), mode, ask)
    found = {name.replace(" ", "-"): [] for name in KINDS}
    spare, machine = [], Machine(farm, 1)
    for wave in range(o.waves):
        rows = farm.wait(machine.runs, f"trials of machine {machine.number}")
        following = Machine(farm, machine.number + 1)
        deadline, before = machine.take_away(o.notice)
        spare.append(before)
        for row in rows:
            found[row["study"]].append(ends_of(farm, row, deadline))
        machine = following
    counted = farm.sql("select sum(crashes) as crashes, sum(lost) as lost, max(attempt) as attempts from trial")[0]
    return found, spare, counted


def report(o, found, spare, counted):
    print(f"{o.waves} machines taken away with {o.notice} to {o.notice + 1} s of notice")
    print(f"process gone before the deadline: {sum(s > 0 for s in spare)} of {len(spare)}, least {min(spare):.2f} s before")
    print(f"{'evaluator':12} {'attempts':>8} {'in time':>8} {'checkpoint':>10} {'least s before':>14} {'median':>7}")
    for name, ends in found.items():
        left = [e[0] for e in ends]
        print(f"{name:12} {len(ends):8} {sum(x > 0 for x in left):8} {sum(e[1] for e in ends):10} {min(left):14.2f} "
              f"{statistics.median(left):7.2f}")
    print(f"counted as crashes: {counted['crashes']}, as lost: {counted['lost']}; most attempts of a trial: {counted['attempts']}")
    obeying = found["obeys"] + found["by-signal"]
    good = all(left > 0 and kept for left, kept in obeying) and not counted["crashes"] and not counted["lost"]
    print("passed" if good else "FAILED")
    return 0 if good else 1


def main():
    o = options()
    os.environ.update(TUNEFARM_BIN=os.path.join(os.path.abspath(o.build), "bin"),
                      TUNEFARM_EVALUATOR=os.path.join(os.path.abspath(o.build), "tests", "evaluator"))
    sys.path[:0] = [HERE, os.path.join(ROOT, "clients", "report")]
    global Metadata
    from farm import Farm
    from metadata import Metadata
    farm = Farm()
    try:
        return report(o, *campaign(o, farm))
    finally:
        farm.close()


if __name__ == "__main__":
    sys.exit(main())
