#!/usr/bin/env python3
"""Searches with the preset `quick`, eight seeds with each of three methods, and prints what they find.

usage: run.py [--sdarts PROGRAM] [--out DIR] [--seeds N] [--threads N] [--set SECTION.KEY=VALUE]...

For each search: the share of operations without weights in the normal and in the reduction cell, and
how far above even the strongest operation of an edge is, on average over all edges. A finished search
is not repeated. Needs nothing but Python 3.8.
"""

import argparse
import json
import pathlib
import statistics
import subprocess

METHODS = ["sdarts-adv", "sdarts-rs", "darts"]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--sdarts", default="target/debug/sdarts")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/quick-seeds"))
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--threads", default="0")
    parser.add_argument("--set", action="append", default=[])
    flags = parser.parse_args()
    print("| seed | " + " | ".join(METHODS) + " |\n|---|" + "---|" * len(METHODS))
    rows = []
    for seed in range(2, 2 + flags.seeds):
        rows.append([search(flags, method, seed) for method in METHODS])
        print(f"| {seed} | " + " | ".join(map(words, rows[-1])) + " |", flush=True)
    means = [[statistics.mean(of) for of in zip(*column)] for column in zip(*rows)]
    print("| mean | " + " | ".join(map(words, means)) + " |")


def search(flags, method, seed):
    out = flags.out / f"{method}-{seed}"
    settings = [part for setting in flags.set for part in ("--set", setting)]
    command = [flags.sdarts, "search", "--preset", "quick", "--device", "cpu", "--threads", flags.threads,
               "--method", method, "--seed", str(seed), "--out", str(out), "--quiet", *settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    cells = subprocess.run([flags.sdarts, "stats", str(out), "--json"], check=True, capture_output=True)
    last = json.loads(cells.stdout)[-1]
    return last["normal_parameter_free"], last["reduce_parameter_free"], decided(out)


def decided(out):
    """Mean over the edges of max p - 1/operations, after the last epoch."""
    lines = (out / "events.jsonl").read_text().splitlines()
    events = [json.JSONDecoder().raw_decode(line)[0] for line in lines if line.startswith("{")]
    p = [event["probabilities"] for event in events if event["type"] == "epoch_finished"][-1]
    rows = [row for cell in p for row in cell]
    return statistics.mean(max(row) - 1 / len(row) for row in rows)


def words(found):
    normal, reduction, above = found
    return f"{normal:.2f} / {reduction:.2f}, +{100 * above:.0f} %"


main()
