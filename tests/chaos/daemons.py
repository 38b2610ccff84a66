"""Real daemons under a campaign: started with the shim, armed with a fault, noticed at once when they end, started again.

One loop (Watch) waits for ready descriptors, ends of processes and due times; nothing here sleeps."""
import heapq
import itertools
import os
import selectors
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("TUNEFARM_BIN", os.path.normpath(os.path.join(HERE, "..", "..", "build", "dev", "bin")))
TESTS = os.environ.get("TUNEFARM_CHAOS", os.path.normpath(os.path.join(BIN, "..", "tests")))
SHIM = os.path.join(TESTS, "libchaos.so")
EVALUATOR = os.path.join(TESTS, "chaos-trial")

PARENT, _held = os.pipe()  # reads end-of-file when the campaign is gone; then the daemons end too


class Watch:
    """Due times and descriptors. at() calls later; run() goes on until done() is true or time is over."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.due, self.ticket = [], itertools.count()

    def at(self, seconds, call):
        heapq.heappush(self.due, (time.monotonic() + seconds, next(self.ticket), call))

    def readable(self, fd, call):
        self.selector.register(fd, selectors.EVENT_READ, call)

    def forget(self, fd):
        self.selector.unregister(fd)

    def turn(self, longest=0.2):
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            heapq.heappop(self.due)[2]()
        wait = min(longest, max(0, self.due[0][0] - time.monotonic())) if self.due else longest
        for key, _ in self.selector.select(wait):
            key.data()

    def run(self, done, patience):
        """True when done() became true in time."""
        end = time.monotonic() + patience
        while not done():
            if time.monotonic() > end:
                return False
            self.turn()
        return True


class Process:
    """One process and its end; on_end(self, status) is called once."""

    def __init__(self, watch, argv, on_end, env, cwd, log, pass_fds=()):
        self.watch, self.on_end, self.stopped, self.served = watch, on_end, False, False
        self.began = time.monotonic()
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, env=env, pass_fds=pass_fds)
        self.pid = self.popen.pid
        self.pidfd = os.pidfd_open(self.pid)
        watch.readable(self.pidfd, self.ended)

    def ended(self):
        self.watch.forget(self.pidfd)
        os.close(self.pidfd)
        self.on_end(self, self.popen.wait())

    def send(self, sig):
        if self.popen.returncode is None:
            self.popen.send_signal(sig)


class Daemon:
    """A broker, worker or optimizer that is started again whenever it ends.

    farm: the campaign, which says the environment of each start (arm) and is told of every end (ended)."""

    def __init__(self, farm, role, number, argv):
        self.farm, self.role, self.argv = farm, role, argv
        self.name = f"{role}{number}"
        self.process, self.ready, self.wanted, self.starts = None, False, True, 0
        self.point = None       # the fault it is armed with
        self.killed_by_us = False
        self.stopped_at = None

    def start(self):
        if self.process or not self.wanted:
            return
        self.starts += 1
        read_end, write_end = os.pipe()
        env = self.farm.env_of(self)
        self.ready, self.killed_by_us = False, False
        with open(os.path.join(self.farm.dir, self.name + ".log"), "ab") as log:
            self.process = Process(self.farm.watch, [*self.argv, "--ready-fd", str(write_end), "--parent-fd", str(PARENT)],
                                   self.on_end, env, self.farm.dir, log, [write_end, PARENT])
        os.close(write_end)
        self.farm.watch.readable(read_end, lambda: self.on_ready(read_end))

    def on_ready(self, fd):
        said = os.read(fd, 64)
        self.farm.watch.forget(fd)
        os.close(fd)
        if b"READY=1" in said and self.process:
            self.ready = True
            self.farm.came_up(self)

    def on_end(self, process, status):
        process.served = self.ready
        self.process, self.ready = None, False
        self.farm.ended(self, process, status)

    def kill(self, sig=signal.SIGKILL):
        if not self.process:
            return False
        self.killed_by_us = self.killed_by_us or sig == signal.SIGKILL
        self.process.send(sig)
        return True

    def freeze(self, seconds):
        """SIGSTOP, and SIGCONT after a while."""
        process = self.process
        if not process or process.stopped:
            return False
        process.stopped = True
        process.send(signal.SIGSTOP)
        self.farm.watch.at(seconds, lambda: self.thaw(process))
        return True

    def thaw(self, process):
        process.stopped = False
        process.send(signal.SIGCONT)

    def log(self):
        path = os.path.join(self.farm.dir, self.name + ".log")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()[-3000:]
