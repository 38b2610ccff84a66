#!/usr/bin/env python3
"""Measures a whole farm of real processes on this machine: what docs/performance.md states.

    bench/farm.py [--build build/release] throughput     100 studies of 1,000 no-op trials over 256 slots
    bench/farm.py [--build build/release] long           one study of 10,000, with its rate along the way
    bench/farm.py [--build build/release] replay         one study of 10,000, then every proposal of it recomputed
    bench/farm.py [--build build/release] latency        idle farm: final of one trial to start of the next
    bench/farm.py [--build build/release] worker         memory of an idle worker; exec to the first trial's start

Everything is durable (the broker's defaults) and lives in a temporary directory beside the build, on the same disk."""
import argparse
import json
import os
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time

TEN_MIXED = {
    "a": {"float": [0, 1]}, "b": {"float": [1e-5, 1], "log": True}, "c": {"float": [-5, 5]},
    "d": {"float": [0, 10], "step": 0.5}, "e": {"int": [1, 100]}, "f": {"int": [1, 1024], "log": True},
    "g": {"int": [0, 64], "step": 8}, "h": {"choice": ["p", "q", "r"]}, "i": {"choice": [1, 2, 4, 8]},
    "x": {"float": [0, 1]},
}


class Farm:
    def __init__(self, build):
        self.bin = os.path.join(os.path.abspath(build), "bin")
        self.evaluator = os.path.join(os.path.abspath(build), "tests", "evaluator")
        self.dir = tempfile.mkdtemp(prefix="farm-", dir=os.path.abspath(build))
        os.chmod(self.dir, 0o700)
        # The socket's path must be short; the database stands on the build's disk.
        self.sockets = tempfile.mkdtemp(prefix="tf-")
        self.listen = f"ipc://{self.sockets}/b"
        self.db = os.path.join(self.dir, "farm.db")
        self.processes = {}

    def start(self, name, *args):
        r, w = os.pipe()
        log = open(os.path.join(self.dir, name + ".log"), "ab")
        p = subprocess.Popen([os.path.join(self.bin, "tunefarm-" + name), *args, "--ready-fd", str(w)], pass_fds=[w],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        os.close(w)
        assert b"READY" in os.read(r, 64), open(log.name).read()[-2000:]
        os.close(r)
        self.processes[name] = p
        return p

    def start_all(self, slots):
        self.start("broker", "--db", self.db, "--listen", self.listen)
        self.start("optimizer", "--broker", self.listen)
        return self.start("worker", "--broker", self.listen, "--root", os.path.join(self.dir, "w"), "--slots", str(slots))

    def tunefarm(self, *args):
        env = dict(os.environ, TUNEFARM_BROKER=self.listen)
        return subprocess.run([os.path.join(self.bin, "tunefarm"), *args], env=env, check=True, capture_output=True,
                              text=True).stdout

    def sql(self, query):
        return [json.loads(line) for line in self.tunefarm("sql", "--json", query).splitlines() if line]

    def submit(self, name, trials, arguments=(), **more):
        folder = os.path.join(self.dir, "study")
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(os.path.join(folder, "evaluator")):
            shutil.copy2(self.evaluator, folder)
        spec = {"study": name, "space": TEN_MIXED, "sampler": {"name": "tpe", "seed": 1}, "stop": {"trials": trials},
                "objective": {"command": ["./evaluator", "--served", *arguments], "files": ["evaluator"],
                              "metric": "loss", "serve": True, "resources": {"cpu": 0}}, **more}
        path = os.path.join(folder, name + ".yaml")
        with open(path, "w") as f:
            json.dump(spec, f)
        self.tunefarm("submit", path)

    def cpu(self):
        """Seconds of processor time by process, children that were waited for not counted."""
        out = {}
        for name, p in self.processes.items():
            fields = open(f"/proc/{p.pid}/stat").read().rsplit(")", 1)[1].split()
            out[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return out

    def stop(self):
        for name in ("worker", "optimizer", "broker"):
            p = self.processes.pop(name, None)
            if p:
                p.send_signal(signal.SIGTERM)
                p.wait(120)

    def close(self):
        for p in self.processes.values():
            p.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)


def wait_ended(farm, trials):
    while True:
        row = farm.sql("select count(*) as n, sum(state = 'ended') as ended, sum(complete) as done from study")[0]
        if row["n"] and row["ended"] == row["n"]:
            assert row["done"] == trials, row
            return
        time.sleep(0.5)


def from_journal(db):
    """Times of the first grant and the last end, and how far proposals were behind."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    first = con.execute("select min(wall_ms) from journal where kind = 22").fetchone()[0]
    ends = [r[0] for r in con.execute("select wall_ms from journal where kind = 28 order by seq")]
    con.close()
    return first, ends


def staleness(db):
    """Results behind: finals of the study journaled between the event a proposal was based on and the proposal."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    behind = []
    query = """select p.study_seq, e.based_on, p.study from event e join journal p on p.seq = e.seq
               where e.kind = 'proposed'"""
    finals = {}
    for study, seq in con.execute("select study, study_seq from journal where kind = 28 order by seq"):
        finals.setdefault(study, []).append(seq)
    import bisect
    for at, based, study in con.execute(query):
        f = finals.get(study, [])
        behind.append(bisect.bisect_left(f, at) - bisect.bisect_right(f, based))
    con.close()
    return statistics.median(behind), max(behind)


def throughput(farm, studies, trials, slots):
    farm.start_all(slots)
    before = farm.cpu()
    for i in range(studies):
        farm.submit(f"s{i}", trials)
    wait_ended(farm, studies * trials)
    after = farm.cpu()
    farm.stop()
    first, ends = from_journal(farm.db)
    n = studies * trials
    seconds = (ends[-1] - first) / 1000
    print(f"{studies} studies of {trials} trials, {slots} slots: {n / seconds:,.0f} trials/s ({seconds:.1f} s)")
    for name in after:
        print(f"  {name:10} {1e6 * (after[name] - before[name]) / n:7.1f} CPU microseconds a trial")
    if studies == 1:
        for at in (1000, 10000):
            if at <= n:
                window = ends[max(0, at - 500):at]
                print(f"  rate at {at:6,} trials: {1000 * len(window) / max(1, window[-1] - window[0]):,.0f} trials/s")
    print("  results behind a proposal: median {}, largest {}".format(*staleness(farm.db)))


def replay(farm):
    """Of the stopped farm: the file, once."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    said = farm.tunefarm("replay", "s0", "--db", farm.db).strip()
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"replay: {said}; {seconds:.1f} s, {cpu:.1f} s of processor time")


def latency(farm, trials):
    farm.start_all(1)
    stamps = os.path.join(farm.dir, "stamps")
    farm.submit("s", trials, ["--stamp", stamps])
    wait_ended(farm, trials)
    farm.stop()
    rows = [tuple(map(int, line.split())) for line in open(stamps)]
    gaps = sorted((b[0] - a[1]) / 1e6 for a, b in zip(rows, rows[1:]))
    print(f"idle farm, one worker, final of one trial to start of the next: p50 {gaps[len(gaps) // 2]:.2f} ms, "
          f"p99 {gaps[int(len(gaps) * .99)]:.2f} ms over {len(gaps)}")
    flush = []
    fd = os.open(os.path.join(farm.dir, "flush"), os.O_WRONLY | os.O_CREAT)
    for _ in range(300):
        os.write(fd, b"x" * 4096)
        t = time.monotonic()
        os.fdatasync(fd)
        flush.append(1000 * (time.monotonic() - t))
    os.close(fd)
    flush.sort()
    print(f"one disk flush (4 KiB append and fdatasync): p50 {flush[150]:.2f} ms, p99 {flush[297]:.2f} ms")


def worker(farm):
    farm.start("broker", "--db", farm.db, "--listen", farm.listen)
    farm.start("optimizer", "--broker", farm.listen)
    stamps = os.path.join(farm.dir, "stamps")
    farm.submit("s", 1, ["--stamp", stamps])
    time.sleep(1)
    start = time.monotonic_ns()
    p = farm.start("worker", "--broker", farm.listen, "--root", os.path.join(farm.dir, "w"), "--slots", "1")
    wait_ended(farm, 1)
    began = int(open(stamps).read().split()[0])
    print(f"worker: exec to the first trial's start {(began - start) / 1e6:.1f} ms")
    time.sleep(3)
    status = dict(line.split(":", 1) for line in open(f"/proc/{p.pid}/status") if ":" in line)
    print("worker, idle: RssAnon{}, VmRSS{}".format(*(status[k].strip().rjust(12) for k in ("RssAnon", "VmRSS"))))
    linked = subprocess.run(["readelf", "-d", os.path.join(farm.bin, "tunefarm-worker")], capture_output=True, text=True)
    print("worker links:", " ".join(w.split("[")[1].split("]")[0] for w in linked.stdout.splitlines() if "NEEDED" in w))
    farm.stop()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("what", choices=["throughput", "long", "replay", "latency", "worker"])
    a.add_argument("--build", default="build/release")
    a.add_argument("--slots", type=int, default=256)
    a.add_argument("--studies", type=int, default=100)
    a.add_argument("--trials", type=int, default=1000)
    o = a.parse_args()
    farm = Farm(o.build)
    try:
        if o.what == "throughput":
            throughput(farm, o.studies, o.trials, o.slots)
        elif o.what == "long":
            throughput(farm, 1, 10000, o.slots)
        elif o.what == "replay":
            throughput(farm, 1, 10000, o.slots)
            replay(farm)
        elif o.what == "latency":
            latency(farm, 500)
        else:
            worker(farm)
    finally:
        farm.close()


if __name__ == "__main__":
    main()
