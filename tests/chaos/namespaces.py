#!/usr/bin/env python3
"""Partitions by the kernel: every worker in a network namespace of its own, joined to the broker's by a veth pair.

usage: namespaces.py [OPTION of partitions.py ...]

Links go down, and routes become black holes, in one direction or the other, for 0.3 to 5 s. No proxy, no reset: TCP itself finds
out. Exit status 77: skipped, with the reason, where namespaces cannot be made."""
import os
import subprocess
import sys

import partitions
from campaign import Campaign, conduct
from daemons import SHIM


def broker_at(link):
    return f"10.99.{link}.1"


def worker_at(link):
    return f"10.99.{link}.2"


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True)


# name: (what breaks a link, what mends it, whether the broker hears nothing meanwhile); {} is the link's number
BREAKS = {
    "link down": (("link set b{0} down",), ("link set b{0} up",), True),
    "black hole to the broker": (("-n w{0} route add blackhole 10.99.{0}.1/32",), ("-n w{0} route del blackhole 10.99.{0}.1/32",), True),
    "black hole from the broker": (("route add blackhole 10.99.{0}.2/32",), ("route del blackhole 10.99.{0}.2/32",), False),
}


class Namespaces(partitions.Partitions):
    breaks, whole_cut = BREAKS, "link down"

    def open_links(self):
        self.links = self.o.workers
        ip("link", "set", "lo", "up")
        for i in range(self.links):
            ip("netns", "add", f"w{i}")
            ip("link", "add", f"b{i}", "type", "veth", "peer", "name", "eth", "netns", f"w{i}")
            ip("address", "add", broker_at(i) + "/24", "dev", f"b{i}")
            ip("link", "set", f"b{i}", "up")
            ip("-n", f"w{i}", "address", "add", worker_at(i) + "/24", "dev", "eth")
            ip("-n", f"w{i}", "link", "set", "eth", "up")
            ip("-n", f"w{i}", "link", "set", "lo", "up")

    def listens(self):
        return ["--listen", self.listen, "--listen", f"tcp://0.0.0.0:{self.port}"]

    def address(self, role, number):
        return f"tcp://{broker_at(number)}:{self.port}" if role == "worker" else self.listen

    def start_of(self, role, number):
        """The shim is preloaded into the worker, not into what brings it into its namespace."""
        return ["ip", "netns", "exec", f"w{number}", "env", f"LD_PRELOAD={SHIM}"] if role == "worker" else []

    def env_of(self, d):
        env = super().env_of(d)
        if d.role == "worker":
            del env["LD_PRELOAD"]
        return env

    def tell(self, link, *commands):
        for text in commands:
            ip(*text.format(link).split())

    def worsen_one(self):
        """Delay and loss need the proxy."""

    def quiet(self):
        self.faults = False
        self.watch.run(lambda: not self.busy, 20)
        Campaign.quiet(self)

    def close(self):
        Campaign.close(self)


def in_namespaces():
    """Goes on in namespaces of its own for network and mounts, as root of a user namespace where that is needed."""
    if os.environ.get("CHAOS_NAMESPACE"):
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        return
    how = ["unshare", "-mn"] if os.geteuid() == 0 else ["unshare", "-rmn"]
    probe = "mount -t tmpfs none /run && ip netns add probe && ip link add b0 type veth peer name eth netns probe"
    tried = subprocess.run([*how, "sh", "-c", probe], capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"skipped: network namespaces cannot be made here: {tried.stderr.strip()}")
        sys.exit(77)
    os.environ["CHAOS_NAMESPACE"] = "1"
    os.execvp("unshare", [*how, sys.executable, *sys.argv])


if __name__ == "__main__":
    options = partitions.options(__doc__.split("\n")[0])
    in_namespaces()
    sys.exit(conduct(Namespaces(options)))
