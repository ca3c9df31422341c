#!/usr/bin/env python3
"""The estimate of the memory of a run, beside what the run takes.

    measure.py SDARTS [--only WORD]

runs the commands of RUNS on the CPU, each for one short epoch, and prints a table: the estimate that
`--memory-limit 1` is refused with, the largest resident memory of the process (wait4), and their
ratio. Exit code 1, where one is not within a factor of two.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SHORT = ["--device", "cpu", "--threads", "2", "--epochs", "1", "-q"]


def sets(text):
    return [word for setting in text.split() for word in ("--set", setting)]


def search(preset, text):
    return ["search", "--preset", preset] + SHORT + sets(text)


def train(genotype, text):
    return ["train", genotype, "--preset", "train-quick"] + SHORT + sets(text)


RUNS = {
    "search, quick": search("quick", ""),
    "search, 8 cells of 16 channels in S5, batch 16, 32 px": search(
        "quick", "search.space=s5 search.cells=8 search.channels=16 search.batch_size=16 "
        "data.image_size=32 data.train_images=64"),
    "search, 8 cells of 16 channels in S2, batch 64, 32 px": search(
        "quick", "search.space=s2 search.cells=8 search.channels=16 search.batch_size=64 "
        "data.image_size=32 data.train_images=128"),
    "search, 4 cells of 8 channels in S3, batch 96, 28 px": search(
        "quick", "search.space=s3 search.cells=4 search.channels=8 search.batch_size=96 "
        "data.image_size=28 data.train_images=192"),
    "search, 5 cells of 16 channels in NAS-Bench-201, batch 64, 32 px": search(
        "quick", "search.space=nasbench201 search.cells=5 search.channels=16 search.batch_size=64 "
        "data.image_size=32 data.train_images=128"),
    "search, 3 cells of 64 channels in S1, batch 8, 16 px": search(
        "quick", "search.space=s1 search.cells=3 search.channels=64 search.batch_size=8 "
        "data.image_size=16 data.train_images=16"),
    "training, train-quick": train("c10_s5_pgd", ""),
    "training, 20 cells of 36 channels, batch 8, 32 px": train(
        "c10_s5_pgd", "train.cells=20 train.channels=36 train.auxiliary=true train.batch_size=8 "
        "data.image_size=32 data.train_images=16"),
    "training, 8 cells of 16 channels, batch 96, 32 px": train(
        "DARTS_V2", "train.cells=8 train.channels=16 train.batch_size=96 data.image_size=32 "
        "data.train_images=192"),
    "training, 5 cells of 16 channels of NAS-Bench-201, batch 64, 32 px": train(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        "train.cells=5 train.channels=16 train.batch_size=64 train.drop_path=0 data.image_size=32 "
        "data.train_images=128"),
}


def estimate(program, flags, folder):
    refused = subprocess.run([program, *flags, "--memory-limit", "1", "--out", f"{folder}/none"],
                             capture_output=True, text=True, check=False)
    found = re.search(r"would take about ([\d.,]+) (\w+)", refused.stderr)
    if not found:
        sys.exit(f"no estimate: {refused.stderr}")
    return float(found[1].replace(",", "")) * UNITS[found[2]]


def peak(program, flags, folder):
    child = os.posix_spawn(program, [program, *flags, "--out", f"{folder}/run"], os.environ,
                           file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"the run ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--only", default="")
    parser.add_argument("--peaks", action="store_true", help="leave the estimates out")
    arguments = parser.parse_args()
    print("| run | estimate, MB | peak, MB | estimate / peak |\n|---|---|---|---|")
    wrong = 0
    for name, flags in RUNS.items():
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            taken = peak(arguments.program, flags, folder)
            told = 0 if arguments.peaks else estimate(arguments.program, flags, folder)
        ratio = told / taken
        wrong += not 0.5 <= ratio <= 2.0
        print(f"| {name} | {told / 1e6:.0f} | {taken / 1e6:.0f} | {ratio:.2f} |", flush=True)
    sys.exit(1 if wrong and not arguments.peaks else 0)


if __name__ == "__main__":
    main()
