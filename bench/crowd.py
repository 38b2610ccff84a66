#!/usr/bin/env python3
"""Measures one broker under a crowd of simulated workers (bench-crowd), all on this machine:

    bench/crowd.py                                          10,000 workers, one report a second each, over tcp with keys
    bench/crowd.py --workers 200 --rate 250 --batch 25      50,000 reports a second, batched
    bench/crowd.py --endpoint ipc --seconds 20 --restarts 0

Broker and optimizer (sampler: random) are the real ones of the build, with the broker's defaults; the database lies on
the build's disk. After the measurement the broker is killed and started again so often as is asked for. Prints rows of a
Markdown table; the exit status is 1 if reports or trials were lost."""
import argparse
import json
import os
import socket
import subprocess
import sys
import time

from farm import Farm

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from peer import CLIENT, Peer, zmq  # noqa: E402  (zmq is None where Python lacks it)

HEAD = ("| workers | endpoint | reports/s | p50 | p99 | max | broker RSS | CPU µs a report: broker, optimizer, crowd "
        "| records a commit |\n|---|---|---|---|---|---|---|---|---|")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class CrowdFarm(Farm):
    def __init__(self, o):
        super().__init__(o.build)
        self.o = o
        self.args = ["--db", self.db, "--feed", "none"]
        # Commands, optimizer and broker find the key file there; the broker makes it.
        os.environ["XDG_CONFIG_HOME"] = self.dir
        self.key = os.path.join(self.dir, "tunefarm", "farm.key")
        if o.endpoint == "tcp":
            self.listen = f"tcp://127.0.0.1:{free_port()}"

    def start_broker(self):
        """How many seconds it took, and when it was ready (CLOCK_BOOTTIME, as bench-crowd's)."""
        began = time.monotonic()
        self.start("broker", *self.args, "--listen", self.listen)
        return time.monotonic() - began, time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def start_crowd(self):
        o = self.o
        args = [os.path.join(self.bin, "bench-crowd"), "--workers", str(o.workers), "--processes", str(o.processes),
                "--rate", str(o.rate), "--batch", str(o.batch), "--steps", str(o.steps), "--patience", f"{o.patience}s"]
        if o.endpoint == "tcp":
            args += ["--curve", self.key]
        self.crowd = subprocess.Popen([*args, self.listen], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes["crowd"] = self.crowd

    def tell(self, line):
        self.crowd.stdin.write(line + "\n")
        self.crowd.stdin.flush()

    def answer(self):
        said = self.crowd.stdout.readline()
        if not said:
            raise SystemExit(f"bench-crowd ended with {self.crowd.wait()}")
        return json.loads(said)

    def submit_endless(self):
        path = os.path.join(self.dir, "crowd.yaml")
        spec = {"study": "crowd", "objective": {"command": ["true"], "metric": "loss", "resources": {"cpu": 0}},
                "space": {"x": {"float": [0, 1]}}, "sampler": {"name": "random", "seed": 1}, "stop": {"trials": 10**9}}
        with open(path, "w") as f:
            json.dump(spec, f)
        self.tunefarm("submit", path)

    def crowd_cpu(self):
        total = 0
        for entry in os.listdir("/proc"):
            try:
                fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split() if entry.isdigit() else []
            except OSError:
                continue
            if fields and int(fields[1]) == self.crowd.pid:
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def cpu(self):
        return {**super().cpu(), "crowd": self.crowd_cpu()}

    def commits(self):
        """Groups of records that were committed, and the last record's number."""
        if not zmq:
            return 0, 0
        keys = dict(line.split(" = ") for line in open(self.key).read().splitlines() if " = " in line) \
            if self.o.endpoint == "tcp" else None
        curve = {"curve_publickey": keys["public"].encode(), "curve_secretkey": keys["secret"].encode(),
                 "curve_serverkey": keys["public"].encode()} if keys else {}
        context = zmq.Context()
        client = Peer(context, self.listen, **curve)
        client.hello(CLIENT)
        found = client.inspect("machine")[0]["groups"], client.inspect("broker")[0]["seq"]
        client.send(5, {1: "bye"})
        client.socket.close(1000)
        context.term()
        return found

    def rss(self, field):
        with open(f"/proc/{self.processes['broker'].pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field)) / 1024

    def stop(self):
        self.crowd.stdin.close()
        self.crowd.wait(60)
        self.processes.pop("crowd")
        super().stop()


def measure(farm):
    o = farm.o
    began = time.monotonic()
    farm.tell("run")
    farm.answer()
    joined = time.monotonic() - began
    time.sleep(o.settle)
    before, groups = farm.cpu(), farm.commits()
    farm.tell(f"measure {o.seconds}")
    got = farm.answer()
    after, later = farm.cpu(), farm.commits()
    records = (later[1] - groups[1]) / max(1, later[0] - groups[0])
    points = max(1, got["points_per_s"] * o.seconds)
    us = [1e6 * (after[name] - before[name]) / points for name in ("broker", "optimizer", "crowd")]
    print(f"| {o.workers:,} | {o.endpoint} | {got['points_per_s']:,.0f} | {got['p50_us'] / 1000:.1f} ms "
          f"| {got['p99_us'] / 1000:.1f} ms | {got['max_us'] / 1000:.0f} ms | {farm.rss('VmRSS'):.0f} MiB "
          f"(peak {farm.rss('VmHWM'):.0f}) | {us[0]:.0f}, {us[1]:.0f}, {us[2]:.0f} "
          f"| {f'{records:.0f}' if zmq else 'unknown'} |")
    print(f"all workers at work {joined:.1f} s after the start; {got}", flush=True)
    return got["acked"] == got["sent"] and got["refused"] == got["gaps"] == 0


def restart(farm):
    broker = farm.processes.pop("broker")
    broker.kill()
    broker.wait()  # its database is free then
    farm.tell("rejoin")
    took, ready = farm.start_broker()
    got = farm.answer()
    back = (got["last_at_ns"] - ready) / 1e9
    print(f"restart after kill -9: ready in {took:.1f} s, the last worker back {back:.1f} s later; "
          f"trials kept {got['kept']:,}, dropped {got['dropped']}", flush=True)
    return got["dropped"] == 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default="build/release")
    a.add_argument("--workers", type=int, default=10000)
    a.add_argument("--processes", type=int, default=4)
    a.add_argument("--rate", type=float, default=1, help="reports a second of each worker")
    a.add_argument("--batch", type=int, default=1, help="reports in one message")
    a.add_argument("--steps", type=int, default=0, help="reports of a trial; 0 = it goes on")
    a.add_argument("--seconds", type=float, default=60)
    a.add_argument("--settle", type=float, default=3, help="seconds before the measurement")
    a.add_argument("--endpoint", choices=["tcp", "ipc"], default="tcp")
    a.add_argument("--restarts", type=int, default=1)
    a.add_argument("--patience", type=int, default=180)
    farm = CrowdFarm(a.parse_args())
    try:
        farm.start_broker()
        farm.start("optimizer", "--broker", farm.listen)
        farm.submit_endless()
        farm.start_crowd()
        print(HEAD)
        fine = measure(farm)
        for _ in range(farm.o.restarts):
            fine = restart(farm) and fine
        farm.stop()
    finally:
        farm.close()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
