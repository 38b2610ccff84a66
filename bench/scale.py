#!/usr/bin/env python3
"""Measures a farm with a long past: what docs/reliability.md states about scale, backup and compaction.

    bench/scale.py [--build build/release] [--trials 1000000] [--reports 10] [--studies 1] [--dir DIR]

bench-bigfarm makes the database in a temporary directory (below --dir; it takes some GiB), which is removed at the end. While
a backup and a compaction are made, a client sends a point (ENQUEUE) every 5 ms and notes how long its durable answer takes.
Needs python3-zmq and python3-msgpack (on Debian: run it with /usr/bin/python3)."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
import peer  # noqa: E402


class Scale:
    def __init__(self, o):
        self.o = o
        self.bin = os.path.join(os.path.abspath(o.build), "bin")
        self.dir = tempfile.mkdtemp(prefix="scale-", dir=o.dir or os.path.abspath(o.build))
        os.chmod(self.dir, 0o700)
        self.sockets = tempfile.mkdtemp(prefix="tf-")
        self.listen = f"ipc://{self.sockets}/b"
        self.db = os.path.join(self.dir, "farm.db")
        self.broker = self.optimizer = None

    def close(self):
        for p in (self.optimizer, self.broker):
            if p:
                p.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def daemon(self, name, *args):
        """The process, and the seconds until it was ready."""
        r, w = os.pipe()
        begin = time.monotonic()
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            p = subprocess.Popen([os.path.join(self.bin, "tunefarm-" + name), *args, "--ready-fd", str(w)], pass_fds=[w],
                                 stderr=log)
        os.close(w)
        assert b"READY" in os.read(r, 64), open(os.path.join(self.dir, name + ".log")).read()
        os.close(r)
        return p, time.monotonic() - begin

    def start_broker(self, why):
        self.broker, seconds = self.daemon("broker", "--db", self.db, "--listen", self.listen)
        with open(f"/proc/{self.broker.pid}/status") as f:
            rss = next(line.split()[1] for line in f if line.startswith("VmRSS"))
        print(f"broker ready ({why}): {seconds:.2f} s, {self.cpu(self.broker):.2f} s of processor time, "
              f"{int(rss) / 1024:.0f} MiB resident")

    @staticmethod
    def cpu(process):
        with open(f"/proc/{process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tunefarm(self, *args, check=True):
        env = dict(os.environ, TUNEFARM_BROKER=self.listen)
        begin = time.monotonic()
        done = subprocess.run([os.path.join(self.bin, "tunefarm"), *args], env=env, capture_output=True, text=True)
        if check and done.returncode:
            raise SystemExit(f"tunefarm {args}: {done.stderr}")
        return done.stdout, time.monotonic() - begin

    def timed(self, *args):
        said, seconds = self.tunefarm(*args)
        print(f"tunefarm {' '.join(args)}: {seconds:.2f} s, {len(said.splitlines()):,} lines")

    def drop_cache(self):
        """The database leaves the page cache, so that a start reads the disk."""
        for name in (self.db, self.db + "-wal"):
            if os.path.exists(name):
                fd = os.open(name, os.O_RDONLY)
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)


class Probe(threading.Thread):
    """Durable answers to a client, one after another; the longest is how long commits were held up."""

    def __init__(self, listen, study):
        super().__init__(daemon=True)
        self.peer = peer.Peer(peer.zmq.Context.instance(), listen)
        self.peer.hello(peer.CLIENT)
        self.study = study
        self.times = []
        self.on = True
        self.start()

    def run(self):
        while self.on:
            begin = time.monotonic()
            self.peer.ask(peer.ENQUEUE, {2: self.study, 3: "{}"})
            self.times.append(1000 * (time.monotonic() - begin))
            time.sleep(0.005)

    def end(self, what):
        self.on = False
        self.join()
        self.peer.close()
        t = sorted(self.times)
        if t:
            print(f"  durable answers {what}: {len(t)}, p50 {t[len(t) // 2]:.1f} ms, p99 {t[int(len(t) * .99)]:.1f} ms, "
                  f"longest {t[-1]:.1f} ms")


def probed(s, what, *args):
    """A command with the probe beside it."""
    probe = Probe(s.listen, "probe")
    said, seconds = s.tunefarm(*args)
    print(f"tunefarm {' '.join(a if '/' not in a else os.path.basename(a) for a in args)}: {seconds:.1f} s; {said.strip()}")
    probe.end(what)


def rebuild(s):
    """From the attachment to the first WANT that the real optimizer answers, seen as its processor time coming to rest."""
    s.optimizer, _ = s.daemon("optimizer", "--broker", s.listen)
    begin, last, still = time.monotonic(), -1, time.monotonic()
    while time.monotonic() - still < 1:
        now = s.cpu(s.optimizer)
        if now != last:
            last, still = now, time.monotonic()
        time.sleep(0.02)
    with open(f"/proc/{s.optimizer.pid}/status") as f:
        rss = next(line.split()[1] for line in f if line.startswith("VmRSS"))
    print(f"optimizer rebuilt: {still - begin:.2f} s, {last:.2f} s of processor time, {int(rss) / 1024:.0f} MiB resident; "
          f"broker {s.cpu(s.broker):.2f} s")
    s.optimizer.send_signal(signal.SIGTERM)
    s.optimizer.wait()
    s.optimizer = None


def size(path):
    return f"{os.path.getsize(path) / (1 << 20):,.0f} MiB"


def measure(s):
    o = s.o
    made = subprocess.run([os.path.join(s.bin, "bench-bigfarm"), "--studies", str(o.studies), "--trials", str(o.trials),
                           "--reports", str(o.reports), "--open", s.db], check=True, capture_output=True, text=True)
    print(f"{o.studies:,} studies of {o.trials:,} trials of {o.reports} reports: {made.stdout.strip()}, {size(s.db)}")
    s.drop_cache()
    s.start_broker("cold")
    for args in (["ls"], ["best", "s0"], ["best", "-k", "100", "s0"], ["show", "s0"], ["show", "s0", str(o.trials // 2)]):
        s.timed(*args)
    s.timed("export", "s0")
    if not o.no_optimizer:
        rebuild(s)
    with open(os.path.join(s.dir, "probe.json"), "w") as f:
        json.dump({"study": "probe", "objective": {"command": ["true"], "metric": "loss"}, "space": {"x": {"float": [0, 1]}},
                   "stop": {"trials": 10**6}}, f)
    s.tunefarm("submit", f.name)
    probe = Probe(s.listen, "probe")
    time.sleep(5)
    probe.end("with nothing else")
    probed(s, "during it", "backup", os.path.join(s.dir, "copy.db"))
    restored = os.path.join(s.dir, "restored.db")
    s.timed("restore", os.path.join(s.dir, "copy.db"), restored)
    os.unlink(os.path.join(s.dir, "copy.db"))
    os.unlink(restored)
    probed(s, "during it", "compact", "s0")
    s.broker.kill()
    s.broker.wait()
    s.start_broker("after kill -9")
    s.broker.send_signal(signal.SIGTERM)
    s.broker.wait()
    print(f"compacted: {size(s.db)}")
    s.drop_cache()
    s.start_broker("compacted, cold")
    if not o.no_optimizer:
        rebuild(s)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--build", default="build/release")
    a.add_argument("--dir")
    a.add_argument("--studies", type=int, default=1)
    a.add_argument("--trials", type=int, default=1000000)
    a.add_argument("--reports", type=int, default=10)
    a.add_argument("--no-optimizer", action="store_true")
    s = Scale(a.parse_args())
    try:
        measure(s)
    finally:
        s.close()


if __name__ == "__main__":
    main()
