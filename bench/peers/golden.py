#!/usr/bin/env python3
"""Values of functions.py at fixed points, to which tests/unit/bench/test_functions.c holds the port in C.

    bench/peers/golden.py > tests/golden/bench/functions.txt

A line: name, value, then the dims in order; nan is an inactive one."""
import numpy as np

from functions import FUNCS, active

POINTS = 20


def draw(d, r):
    if d["kind"] == "cat":
        return int(r.integers(d["n"]))
    if d["kind"] == "uniform":
        return float(r.uniform(d["lo"], d["hi"]))
    if d["kind"] == "log":
        return float(np.exp(r.uniform(np.log(d["lo"]), np.log(d["hi"]))))
    return d["lo"] + d["q"] * int(r.integers(round((d["hi"] - d["lo"]) / d["q"]) + 1))


def main():
    for name, e in FUNCS.items():
        r = np.random.default_rng(20)
        print("optimum", name, repr(e["opt"]))
        for _ in range(POINTS):
            p = active(e["space"], {d["name"]: draw(d, r) for d in e["space"]})
            print(name, repr(float(e["f"](p))), *(repr(float(p.get(d["name"], np.nan))) for d in e["space"]))


if __name__ == "__main__":
    main()
