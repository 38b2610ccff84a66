#!/usr/bin/env python3
"""Gradient boosting with decision stumps on the diabetes data, in plain Python, as a served evaluator.

The process stays alive and is given one trial after another, so it reads its data once. Each trial reports the validation
error (root mean square) every ten rounds and ends with the last one. By hand: ./boost.py runs one trial with the settings
below and prints what it would report.
"""
import csv
import math
import os
import random

import tunefarm_report

BY_HAND = {"rate": 0.1, "rounds": 100, "rows": 0.8, "leaf": 5}


def load(path):
    """Two lists of (features, target): training and validation."""
    parts = {"train": [], "valid": [], "test": []}
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            split, target = row.pop("split"), float(row.pop("target"))
            parts[split].append(([float(v) for v in row.values()], target))
    return parts["train"], parts["valid"]


def best_stump(rows, orders, residual, chosen, leaf):
    """The split (feature, threshold, left mean, right mean) that explains most of the chosen rows' residuals."""
    total, count = sum(residual[i] for i in chosen), len(chosen)
    best_gain, best = -math.inf, (0, math.inf, total / count, 0.0)
    for feature, order in enumerate(orders):
        left, n, previous = 0.0, 0, None
        for i in order:
            if i not in chosen:
                continue
            value = rows[i][0][feature]
            if n >= leaf and count - n >= leaf and value != previous:
                right = total - left
                gain = left * left / n + right * right / (count - n)
                if gain > best_gain:
                    best_gain = gain
                    best = (feature, (value + previous) / 2, left / n, right / (count - n))
            left, n, previous = left + residual[i], n + 1, value
    return best


def train(params, seed, data, report):
    """Trains; calls report(round, error) every ten rounds; returns the last validation error."""
    rows, valid = data
    chance = random.Random(seed)
    orders = [sorted(range(len(rows)), key=lambda i: rows[i][0][f]) for f in range(len(rows[0][0]))]
    mean = sum(y for _, y in rows) / len(rows)
    residual = [y - mean for _, y in rows]
    errors = [y - mean for _, y in valid]
    rounds, rate = params["rounds"], params["rate"]
    for number in range(1, rounds + 1):
        chosen = set(chance.sample(range(len(rows)), max(2, round(params["rows"] * len(rows)))))
        feature, threshold, low, high = best_stump(rows, orders, residual, chosen, params["leaf"])
        for part, left in ((rows, residual), (valid, errors)):
            for i, (x, _) in enumerate(part):
                left[i] -= rate * (low if x[feature] < threshold else high)
        error = math.sqrt(sum(e * e for e in errors) / len(errors))
        if number % 10 == 0 and number < rounds:
            report(number, error)
    return error


def main():
    data = load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "diabetes.csv"))
    if "TUNEFARM_FD" not in os.environ:
        print("result", train(BY_HAND, 1, data, lambda step, loss: print(step, loss)))
        return
    for trial in tunefarm_report.trials():
        loss = train(trial.params, 1, data, lambda step, loss: trial.report(step=step, loss=loss))
        trial.finish(loss=loss)


if __name__ == "__main__":
    main()
