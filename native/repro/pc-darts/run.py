#!/usr/bin/env python3
"""PC-DARTS with and without perturbation on real CIFAR-10, small enough for two cores.

    native/repro/pc-darts/run.py --sdarts target/debug/sdarts --data-dir DIR --out DIR

Searches with three seeds and three methods, 5 cells of 16 channels of which a quarter goes through the operations;
a run that is there already goes on. Writes results.csv (a line for each run) and prints the table of README.md."""

import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "pdarts"))
import run as pdarts  # noqa: E402

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


def evenness(row):
    """Entropy of the weights of a node's edges; 1 where they are equal."""
    return -sum(it * math.log(it) for it in row) / math.log(len(row))


def row(method, seed, events):
    last = [it for it in events if it["type"] == "epoch_finished"][-1]
    choices = [it for it in events if it["type"] == "started"][-1]["architecture"]
    named = {choice["name"]: (choice["edges"], p) for choice, p in zip(choices, last["probabilities"])}
    line = pdarts.found(method, seed, events, *named["normal"])
    nodes = [p[0] for name, (_, p) in named.items() if name.startswith("normal_beta")]
    evenness_of_edges = statistics.mean(map(evenness, nodes))
    norm = line.pop("hessian_norm")
    return {**line, "evenness_of_edges": evenness_of_edges, "hessian_norm": norm}


if __name__ == "__main__":
    pdarts.demonstrate(__doc__, METHODS, SETTINGS, row)
