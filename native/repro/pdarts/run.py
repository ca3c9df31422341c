#!/usr/bin/env python3
"""P-DARTS with and without perturbation on real CIFAR-10, small enough for two cores.

    native/repro/pdarts/run.py --sdarts target/debug/sdarts --data-dir DIR --out DIR

Searches with three seeds and three methods, three stages of 3, 4 and 5 cells; a run that is there already goes
on. Writes results.csv (a line for each run) and prints the table of README.md."""

import argparse
import csv
import json
import math
import pathlib
import statistics
import subprocess

METHODS = ["p-darts", "p-darts-rs", "p-darts-adv"]
SETTINGS = {
    "search.epochs": 15,
    "search.architecture_from": 1,
    "search.batch_size": 48,
    "search.channels": 4,
    "stages.cells": "[3, 4, 5]",
    "weights.learning_rate": 0.05,
    "alpha.learning_rate": 0.02,
    "perturbation.epsilon_max": 0.3,
    "perturbation.steps": 3,
    "data.train_images": 1920,
    "data.image_size": 16,
    "data.crop_padding": 2,
    # The first and the last epoch.
    "hessian.every": 14,
}


def search(args, settings, method, seed):
    """The events of a search; one that is over is not done again."""
    run = args.out / f"{method}-{seed}"
    command = [args.sdarts, "search", "--preset", method, "--seed", str(seed), "--data-dir", args.data_dir]
    command += ["--device", "cpu", "--threads", str(args.threads), "--quiet", "--out", str(run)]
    command += [f"--set={key}={value}" for key, value in settings.items()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def norm(events):
    """Spectral norm after the last epoch."""
    last = [it for it in events if it["type"] == "hessian"][-1]
    return max(abs(last["smallest"]), abs(last["largest"]))


def found(method, seed, events, edges, probabilities):
    """What a search came to; of its normal cell all edges with their p, before any limit of skips."""
    last = [it for it in events if it["type"] == "epoch_finished"][-1]
    # The strongest operation of each edge but `none`.
    best = []
    for edge, p in zip(edges, probabilities):
        best.append(max(zip(p, edge["operations"]), key=lambda it: (it[1] != "none", it[0]))[1])
    return {
        "method": method,
        "seed": seed,
        "valid_accuracy": last["valid_accuracy"],
        "parameter_free_normal": last["parameter_free"][0],
        "parameter_free_reduce": last["parameter_free"][1],
        "skips_normal": sum(name == "skip_connect" for name, _ in last["genotype"]["normal"]),
        "skip_edges_of_14": best.count("skip_connect"),
        "hessian_norm": norm(events),
    }


def row(method, seed, events):
    last = [it for it in events if it["type"] == "epoch_finished"][-1]
    choices = [it for it in events if it["type"] == "stage_started"][-1]["architecture"]
    return found(method, seed, events, choices[0]["edges"], last["probabilities"][0])


def demonstrate(about, methods, settings, row):
    """Searches with all methods and seeds; `row` makes a line of results.csv from the events of one."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--sdarts", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        for method in methods:
            rows.append(row(method, seed, search(args, settings, method, seed)))
            with (args.out / "results.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
    for method in methods:
        own = [it for it in rows if it["method"] == method]
        cells = [method]
        for key in list(rows[0])[2:]:
            values = [it[key] for it in own]
            deviation = statistics.stdev(values) if len(values) > 1 else math.nan
            cells.append(f"{statistics.mean(values):.3f} ± {deviation:.3f}")
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    demonstrate(__doc__, METHODS, SETTINGS, row)
