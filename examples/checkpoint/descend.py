#!/usr/bin/env python3
"""Gradient descent with momentum on Rosenbrock's function, with checkpoints, in plain Python.

What has to go on is the point, the velocity and the step; all of it is in one small file. A checkpoint is written when the
worker asks for one (it has to leave: its spot machine goes, or someone typed `tunefarm drain`), and every 50 steps besides,
for machines that vanish without a word. By hand: ./descend.py --lr 0.001 runs from the start and prints what it would report.
"""
import argparse
import json
import math
import os
import time

import tunefarm_report

STEPS, REPORT_EVERY, SAVE_EVERY = 200, 5, 50


def gradient(x, y):
    return -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)


def loss(x, y):
    value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    return math.log10(value + 1e-12) if math.isfinite(value) else 99.0


def save(folder, state):
    """Writes a whole file under another name first: nobody can ever find half of one."""
    path = os.path.join(folder, "state.json")
    with open(path + ".part", "w") as f:
        json.dump(state, f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".part", path)


def load(folder):
    with open(os.path.join(folder, "state.json")) as f:
        return json.load(f)


def keep(trial, state):
    """One folder for each checkpoint: what was named before stays as it was."""
    name = f"step-{state['step']}"
    folder = os.path.join(trial.checkpoint_dir, name)
    os.makedirs(folder, exist_ok=True)
    save(folder, state)
    trial.checkpoint(name, state["step"])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--lr", type=float, default=1e-3)
    options.add_argument("--momentum", type=float, default=0.9)
    o = options.parse_args()
    trial = tunefarm_report.trial()
    state = load(trial.resume) if trial.resume else {"step": 0, "at": [-1.2, 1.0], "v": [0.0, 0.0]}
    while state["step"] < STEPS:
        time.sleep(0.01)  # stands for work
        slope = [max(-1e3, min(1e3, g)) for g in gradient(*state["at"])]
        state["v"] = [o.momentum * v - o.lr * g for v, g in zip(state["v"], slope)]
        state["at"] = [max(-10.0, min(10.0, x + v)) for x, v in zip(state["at"], state["v"])]
        state["step"] += 1
        if state["step"] % REPORT_EVERY == 0:
            trial.report(state["step"], loss=loss(*state["at"]))
        if trial.checkpoint_wanted or state["step"] % SAVE_EVERY == 0:
            keep(trial, state)
        if trial.stopped:
            break
    trial.finish(loss=loss(*state["at"]))  # of a trial that was interrupted, this says nothing


if __name__ == "__main__":
    main()
