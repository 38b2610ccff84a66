#!/usr/bin/env python3
"""Runs examples/digits-mlp as it is shipped, once a seed, with its own sampler and with others: the figures of its README.

    bench/digits.py [--build build/release] [--seeds 1:41] [SAMPLER ...]

SAMPLER is text for `sampler:` of a study file; without any: the study's own, then `{name: random}`. Real runs of
`tunefarm run`, two trials at once, so two runs of a seed may differ a little. Prints the best loss of each seed in order of
the seeds, then the extremes and the median, also of each half of the seeds."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile

OWN = "sampler: {name: tpe}"
SLOTS = 2


def best_loss(tunefarm, study, seed, folder):
    db = os.path.join(folder, "run.db")
    run = [tunefarm, "run", "--json", "--slots", str(SLOTS), "--seed", str(seed), "--db", db, study]
    last = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    for name in os.listdir(folder):
        if name.startswith("run.db"):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    return last["best"]["loss"]


def summary(losses):
    return f"best {min(losses):.3f}, median {statistics.median(losses):.3f}, worst {max(losses):.3f}"


def measure(tunefarm, example, sampler, seeds):
    with tempfile.TemporaryDirectory(prefix="digits-") as folder:
        study = os.path.join(shutil.copytree(example, os.path.join(folder, "study")), "study.yaml")
        with open(study) as f:
            text = f.read()
        assert text.count(OWN) == 1, f"{study} does not say `{OWN}` once"
        with open(study, "w") as f:
            f.write(text.replace(OWN, sampler))
        print(sampler, flush=True)
        losses = []
        for seed in seeds:
            losses.append(best_loss(tunefarm, study, seed, folder))
            print(f" {losses[-1]:.3f}", end="", flush=True)
    half = len(losses) // 2
    print(f"\n  seeds {seeds[0]} to {seeds[-1]}: {summary(losses)}")
    for part in (range(half), range(half, len(losses))) if half else ():
        print(f"  seeds {seeds[part[0]]} to {seeds[part[-1]]}: {summary([losses[i] for i in part])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seeds", default="1:41", metavar="FROM:TO", help="TO is the first that is left out")
    parser.add_argument("sampler", nargs="*")
    args = parser.parse_args()
    seeds = range(*(int(part) for part in args.seeds.split(":")))
    for sampler in args.sampler or [OWN, "sampler: {name: random}"]:
        text = sampler if sampler.startswith("sampler:") else f"sampler: {sampler}"
        measure(os.path.join(args.build, "bin", "tunefarm"), os.path.join(args.build, "examples", "digits-mlp"), text, seeds)


if __name__ == "__main__":
    main()
