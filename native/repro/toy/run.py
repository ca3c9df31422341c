#!/usr/bin/env python3
"""Measures how the searches of the page's playground end, over many seeds.

usage: run.py [--sdarts PROGRAM] [--out FILE] [--seeds N] [--epochs N] [--jobs N] [--device D]

Runs the preset `browser` for 20 epochs, as the playground does, with DARTS, SDARTS-RS and SDARTS-ADV at N
seeds each, with one thread, and writes a row for every run: the share of operations without weights in the
normal cell, its skip connections, and whether the page would show its alarm at the end. The playground
shows a run of a visitor beside these. With --device wgpu the same kernels compute as in a browser with
WebGPU. Needs nothing but Python 3.8.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

METHODS = ["darts", "sdarts-rs", "sdarts-adv"]
HEADER = ["method", "seed", "parameter_free_share", "skip_connections", "operations", "alarm"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sdarts", default="sdarts", help="the program")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("toy.csv"))
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu (default) or wgpu")
    flags = parser.parse_args()
    runs = [(method, seed) for method in METHODS for seed in range(flags.seeds)]
    with ThreadPoolExecutor(flags.jobs) as pool:
        rows = list(pool.map(lambda run: [*run, *ending(flags, *run)], runs))
    with open(flags.out, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
    for method in METHODS:
        shares = [row[2] for row in rows if row[0] == method]
        alarms = sum(row[5] for row in rows if row[0] == method)
        mean, spread = statistics.mean(shares), statistics.stdev(shares)
        print(f"{method}: {mean:.2f} ± {spread:.2f} without weights, {alarms} alarms of {len(shares)}")


def ending(flags, method, seed):
    """What a run ended with."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        command = [flags.sdarts, "search", "--preset=browser", f"--method={method}"]
        command += [f"--seed={seed}", f"--epochs={flags.epochs}", "--threads=1"]
        command += [f"--device={flags.device}", "--quiet", f"--out={out}"]
        subprocess.run(command, check=True, capture_output=True)
        events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    epoch = [event for event in events if event["type"] == "epoch_finished"][-1]
    warned = any(event.get("code") == "collapse" for event in events)
    normal = [operation for operation, _ in epoch["genotype"]["normal"]]
    skips = normal.count("skip_connect")
    return [epoch["parameter_free"][0], skips, len(normal), int(warned and 2 * skips > len(normal))]


if __name__ == "__main__":
    main()
