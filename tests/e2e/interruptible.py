"""An evaluator that is interrupted: the loss at its end tells whether it went on from where it was.

Its state is a number that each step moves along a chaotic course, so that a step too many or too few, or a wrong beginning,
gives another loss. --mode says how it takes the question for a checkpoint:

  line     answers a line on the channel        (objective.checkpoint: {ask: line})
  signal   writes one on SIGUSR1 and exits 0; never says anything of checkpoints on the channel
  ignore   goes on, and ends at SIGTERM
  hang     stops working when it is asked, deaf to SIGTERM
  die      dies in the midst of writing one
"""
import argparse
import json
import os
import signal
import sys
import time

import tunefarm_report


def advance(state):
    return 3.9 * state * (1 - state)


def loss_after(x, steps):
    """What an undisturbed trial with the parameter x ends with."""
    state = 0.1 + 0.8 * x
    for _ in range(steps):
        state = advance(state)
    return state


def write(folder, step, state):
    path = os.path.join(folder, "state.json")
    with open(path + ".part", "w") as f:
        json.dump({"step": step, "state": state}, f)
    os.replace(path + ".part", path)


def read(folder):
    with open(os.path.join(folder, "state.json")) as f:
        saved = json.load(f)
    return saved["step"], saved["state"]


def hang():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def answer(trial, mode, step, state):
    """What it does when it is asked."""
    if mode == "line":
        write(trial.checkpoint_dir, step, state)
        trial.checkpoint(trial.checkpoint_dir, step)
    elif mode == "signal":
        write(os.environ["TUNEFARM_CHECKPOINT_DIR"], step, state)
        sys.exit(0)
    elif mode == "hang":
        hang()
    elif mode == "die":
        with open(os.path.join(trial.checkpoint_dir, "state.json"), "w") as f:
            f.write('{"step":')
        os.kill(os.getpid(), signal.SIGSEGV)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--mode", default="line")
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--sleep-ms", type=int, default=50)
    o = options.parse_args()
    asked = []
    signal.signal(signal.SIGUSR1, lambda *_: asked.append(True))
    for trial in tunefarm_report.trials():
        resume = os.environ.get("TUNEFARM_RESUME") if o.mode == "signal" else trial.resume
        step, state = read(resume) if resume else (0, 0.1 + 0.8 * trial.params["x"])
        while step < o.steps:
            time.sleep(o.sleep_ms / 1000)
            step, state = step + 1, advance(state)
            stopped = trial.report(step, loss=state)
            if asked or (o.mode != "signal" and trial.checkpoint_wanted):
                answer(trial, o.mode, step, state)
            if stopped and o.mode != "ignore":
                break
        trial.finish(loss=state)


if __name__ == "__main__":
    main()
