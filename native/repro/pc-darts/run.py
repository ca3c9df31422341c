#!/usr/bin/env python3
"""PC-DARTS with and without perturbation on real CIFAR-10, small enough for two cores.

    native/repro/pc-darts/run.py --sdarts target/debug/sdarts --data-dir DIR --out DIR

Searches with three seeds and three methods, 5 cells of 16 channels of which a quarter goes through the operations;
a run that is there already goes on. Writes results.csv (a line for each run) and prints the table of README.md."""

import argparse
import csv
import json
import math
import pathlib
import statistics
import subprocess

METHODS = ["pc-darts", "pc-darts-rs", "pc-darts-adv"]
SETTINGS = {
    "search.epochs": 12,
    # 15 of 50 in the original.
    "search.architecture_from": 4,
    # A quarter of the original's, and of its learning rate.
    "search.batch_size": 64,
    "weights.learning_rate": 0.025,
    "search.cells": 5,
    "search.channels": 16,
    "search.partial_channels": 4,
    # 128 steps of alpha instead of 3,430.
    "alpha.learning_rate": 0.02,
    "perturbation.epsilon_max": 0.3,
    "perturbation.steps": 3,
    "data.train_images": 2048,
    "data.image_size": 16,
    "data.crop_padding": 2,
    # The first and the last epoch.
    "hessian.every": 11,
}


def search(sdarts, data, out, method, seed, threads):
    run = out / f"{method}-{seed}"
    command = [sdarts, "search", "--preset", method, "--seed", str(seed), "--data-dir", data]
    command += ["--device", "cpu", "--threads", str(threads), "--quiet", "--out", str(run)]
    command += [f"--set={key}={value}" for key, value in SETTINGS.items()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def norm(events):
    """Spectral norm after the last epoch."""
    last = [it for it in events if it["type"] == "hessian"][-1]
    return max(abs(last["smallest"]), abs(last["largest"]))


def evenness(row):
    """Entropy of the weights of a node's edges; 1 where they are equal."""
    return -sum(it * math.log(it) for it in row) / math.log(len(row))


def row(method, seed, events):
    last = [it for it in events if it["type"] == "epoch_finished"][-1]
    skips = sum(name == "skip_connect" for name, _ in last["genotype"]["normal"])
    choices = [it for it in events if it["type"] == "started"][-1]["architecture"]
    named = {choice["name"]: (choice["edges"], p) for choice, p in zip(choices, last["probabilities"])}
    # The strongest operation of each of the 14 edges of the normal cell but `none`.
    best = []
    for edge, p in zip(*named["normal"]):
        best.append(max(zip(p, edge["operations"]), key=lambda it: (it[1] != "none", it[0]))[1])
    nodes = [p[0] for name, (_, p) in named.items() if name.startswith("normal_beta")]
    return {
        "method": method,
        "seed": seed,
        "valid_accuracy": last["valid_accuracy"],
        "parameter_free_normal": last["parameter_free"][0],
        "parameter_free_reduce": last["parameter_free"][1],
        "skips_normal": skips,
        "skip_edges_of_14": best.count("skip_connect"),
        "evenness_of_edges": statistics.mean(map(evenness, nodes)),
        "hessian_norm": norm(events),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdarts", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        for method in METHODS:
            events = search(args.sdarts, args.data_dir, args.out, method, seed, args.threads)
            rows.append(row(method, seed, events))
            with (args.out / "results.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
    for method in METHODS:
        own = [it for it in rows if it["method"] == method]
        cells = [method]
        for key in list(rows[0])[2:]:
            values = [it[key] for it in own]
            deviation = statistics.stdev(values) if len(values) > 1 else math.nan
            cells.append(f"{statistics.mean(values):.3f} ± {deviation:.3f}")
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
