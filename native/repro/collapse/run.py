#!/usr/bin/env python3
"""Shows the collapse of DARTS, and what SDARTS does about it, with true accuracies.

usage: run.py --data-dir DIR --table FILE:COLUMN [--sdarts PROGRAM] [--out DIR]
              [--seeds N] [--epochs N] [--jobs N]

Searches NAS-Bench-201 on CIFAR-10 with DARTS, SDARTS-RS and SDARTS-ADV, N seeds each, JOBS at a
time with one thread each, into OUT/runs. What was finished before is not repeated, what was
interrupted continues. Then collects the events of all runs:

    OUT/runs.csv            the cell that each run ended in
    OUT/anytime.csv         true test error of the derived cell, epoch by epoch, over the seeds
    OUT/parameter_free.csv  share of its operations without weights
    OUT/hessian.csv         spectral norm of the Hessian, where it was measured
    OUT/course.csv          every run, epoch by epoch: what the page replays (web/README.md)
    OUT/landscape.csv       the landscape around the end of every run

and draws them with `sdarts compare` into OUT/compare. Needs nothing but Python 3.8.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor

METHODS = ["darts", "sdarts-rs", "sdarts-adv"]

# One cell for each of the three stages, 8 channels, 16x16 pixels: a search takes minutes on one
# core. The first 2,000 training images train w, the next 2,000 alpha. With 32 steps an epoch
# instead of 391, alpha needs twenty times the paper's learning rate to get about as far.
SETTINGS = {
    "search.cells": 5,
    "search.channels": 8,
    "search.batch_size": 64,
    "alpha.learning_rate": 6e-3,
    "data.image_size": 16,
    "data.train_images": 4000,
    "data.crop_padding": 2,
    "hessian.every": 5,
}


def main():
    flags = arguments()
    settings = known_settings(flags.sdarts)
    runs = {
        (method, seed): flags.out / "runs" / f"{method}-{seed}"
        for seed in range(flags.seeds)
        for method in METHODS
    }
    with ThreadPoolExecutor(flags.jobs) as pool:
        searches = [pool.submit(search, flags, settings, *run, out) for run, out in runs.items()]
        for one in searches:
            one.result()
    collect(flags.out, {run: events(out) for run, out in runs.items()})
    compare(flags, runs.values())
    landscapes(flags, runs)


def arguments():
    flags = parser(__doc__, out="collapse", epochs=50)
    flags.add_argument("--table", required=True, help="FILE:COLUMN of true CIFAR-10 accuracies")
    return flags.parse_args()


def parser(doc, out, epochs):
    """The flags of all demonstrations on CIFAR-10; `doc` begins with what one shows."""
    flags = argparse.ArgumentParser(description=doc.split("\n")[0])
    flags.add_argument("--data-dir", required=True, help="folder of the CIFAR-10 files")
    flags.add_argument("--sdarts", default="sdarts", help="the program")
    flags.add_argument("--out", type=pathlib.Path, default=pathlib.Path(out))
    flags.add_argument("--seeds", type=int, default=4)
    flags.add_argument("--epochs", type=int, default=epochs)
    flags.add_argument("--jobs", type=int, default=2)
    return flags


def known_settings(sdarts):
    """The settings above that this version of the program has."""
    shown = subprocess.run(
        [sdarts, "search", "--print-config"], check=True, capture_output=True, text=True
    ).stdout
    sections = {line.strip("[]\n") for line in shown.splitlines() if line.startswith("[")}
    left_out = [key for key in SETTINGS if key.split(".")[0] not in sections]
    if left_out:
        print(f"this version does not know {', '.join(left_out)}; running without")
    return {key: value for key, value in SETTINGS.items() if key not in left_out}


def search(flags, settings, method, seed, out):
    command = [flags.sdarts, "search", "--preset=nasbench201-darts", f"--method={method}"]
    command += [f"--seed={seed}", f"--epochs={flags.epochs}", f"--data-dir={flags.data_dir}", f"--out={out}"]
    command += [f"--table={flags.table}", "--device=cpu", "--threads=1", "--quiet"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{method}, seed {seed}: done", flush=True)


def events(out):
    """The events of a run, by type."""
    found = {}
    for line in (out / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        found.setdefault(event["type"], []).append(event)
    return found


def collect(out, runs):
    curves(out, runs)
    write(out / "runs.csv", *endings(runs))
    write(out / "course.csv", *course(runs))


def curves(out, runs):
    anytime = {
        run: {one["epoch"]: 100 - one["test_accuracy"] for one in found["anytime"]}
        for run, found in runs.items()
    }
    free = {
        run: {one["epoch"]: one["parameter_free"][0] for one in found["epoch_finished"]}
        for run, found in runs.items()
    }
    norms = {
        run: {one["epoch"]: norm(one) for one in found.get("hessian", [])}
        for run, found in runs.items()
    }
    write(out / "anytime.csv", *over_seeds("test_error_percent", anytime))
    write(out / "parameter_free.csv", *over_seeds("parameter_free_share", free))
    write(out / "hessian.csv", *over_seeds("spectral_norm", norms))


def over_seeds(name, runs):
    """Mean and sample standard deviation over the seeds, for every method and epoch."""
    header = ["method", "epoch", f"{name}_mean", f"{name}_std", "seeds"]
    rows = []
    for method in dict.fromkeys(method for method, _ in runs):
        curves = [curve for (one, _), curve in runs.items() if one == method]
        for epoch in sorted(set().union(*curves)):
            values = [curve[epoch] for curve in curves if epoch in curve]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            rows.append([method, epoch, statistics.mean(values), spread, len(values)])
    return header, rows


def endings(runs):
    header = ["method", "seed", "test_accuracy_percent", "best_on_the_way_percent", "rank"]
    header += ["regret", "parameter_free_share", "valid_accuracy", "architecture"]
    rows = []
    for (method, seed), found in runs.items():
        last, epoch = found["anytime"][-1], found["epoch_finished"][-1]
        best = max(one["test_accuracy"] for one in found["anytime"])
        row = [method, seed, last["test_accuracy"], best, last["rank"], last["regret"]]
        row += [epoch["parameter_free"][0], epoch["valid_accuracy"], last["architecture"]]
        rows.append(row)
    return header, sorted(rows)


def course(runs):
    """Every epoch of every run. The probabilities are in thousandths, edge by edge."""
    header = ["method", "seed", "epoch", "test_accuracy_percent", "rank", "valid_accuracy"]
    header += ["epsilon", "spectral_norm", "architecture", "probabilities_permille"]
    rows = []
    for (method, seed), found in runs.items():
        norms = {one["epoch"]: norm(one) for one in found.get("hessian", [])}
        for true, epoch in zip(found["anytime"], found["epoch_finished"]):
            shares = [p for row in epoch["probabilities"][0] for p in row]
            row = [method, seed, epoch["epoch"], round(true["test_accuracy"], 4), true["rank"]]
            row += [epoch["valid_accuracy"], round(epoch["epsilon"], 4)]
            row += [norms.get(epoch["epoch"], ""), true["architecture"]]
            rows.append([*row, " ".join(str(round(1000 * p)) for p in shares)])
    return header, sorted(rows, key=lambda row: row[:3])


def norm(hessian):
    return max(abs(hessian["smallest"]), abs(hessian["largest"]))


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    print(f"{path}: {len(rows)} rows")


def compare(flags, runs):
    if subprocess.run([flags.sdarts, "compare", "--help"], capture_output=True).returncode:
        print("this version has no `compare`; no figures")
        return
    folder = flags.out / "compare"
    subprocess.run([flags.sdarts, "compare", *map(str, runs), f"--out={folder}"], check=True)


def landscapes(flags, runs):
    """Measures the validation accuracy around the end of every run."""
    folders = [str(out) for out in runs.values()]
    subprocess.run([flags.sdarts, "landscape", *folders, "--grid=15", "--images=500"], check=True)
    rows = []
    for (method, seed), out in sorted(runs.items()):
        with open(out / "landscape.csv", newline="") as file:
            points = list(csv.DictReader(file))
        rows += [[method, seed, *(round(float(p[key]), 4) for key in ("x", "y", "accuracy"))] for p in points]
    write(flags.out / "landscape.csv", ["method", "seed", "x", "y", "accuracy"], rows)


if __name__ == "__main__":
    main()
