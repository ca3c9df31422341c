"""What partial channels save, here and in sdarts: steps of DARTS and of PC-DARTS (K = 4) in turns.

    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 python compare_partial.py --sdarts PATH --csv partial.csv

A round times each program once, each in a process of its own. Of PC-DARTS the form without edge weights is timed,
as SmoothDARTS released it. The table has the median over the rounds.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
METHODS = {"darts": 1, "pc-darts": 4}
PROGRAMS = ["pytorch-nchw", "pytorch-nhwc", "sdarts"]


def command(program, method, args):
    if program == "sdarts":
        words = [args.sdarts, "bench", "--method", method, "--device", "cpu", "--skip-peaks", "--json"]
        words += ["--set", f"search.batch_size={args.batch}", "--steps", str(args.steps)]
        return words + ["--set", f"search.cells={args.cells}", "--threads", str(args.threads)]
    words = [sys.executable, str(HERE / "bench.py"), "--method", "darts"]
    words += ["--partial", str(METHODS[method]), "--batch", str(args.batch)]
    words += ["--cells", str(args.cells), "--threads", str(args.threads)]
    words += ["--steps", str(args.pytorch_steps), "--warmup", "1"]
    return words + (["--channels-last"] if program.endswith("nhwc") else [])


def measure(program, method, args):
    out = subprocess.run(command(program, method, args), check=True, capture_output=True, text=True).stdout
    found = json.loads(out.strip().splitlines()[-1])
    row = {"program": program, "method": method, "step_seconds": found["step_seconds"]}
    memory = round(found["peak_memory_mb"])
    return row | {"memory_mb": memory, "batch": args.batch, "cells": args.cells}


def table(rows):
    def median(program, method, key):
        found = [row[key] for row in rows if (row["program"], row["method"]) == (program, method)]
        return statistics.median(found)

    yield "| program | DARTS, s | PC-DARTS, s | share | DARTS, MB | PC-DARTS, MB | share | ÷ ours, DARTS | ÷ ours, PC-DARTS |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for program in PROGRAMS:
        cells = [program]
        for key, digits in (("step_seconds", 3), ("memory_mb", 0)):
            whole, part = (median(program, method, key) for method in METHODS)
            cells += [f"{whole:.{digits}f}", f"{part:.{digits}f}", f"{100 * part / whole:.0f} %"]
        for method in METHODS:
            ratio = median(program, method, "step_seconds") / median("sdarts", method, "step_seconds")
            cells.append(f"{ratio:.2f}")
        yield "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sdarts", required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3, help="of sdarts")
    parser.add_argument("--pytorch-steps", type=int, default=1)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every row")
    args = parser.parse_args()
    rows = []
    for number in range(args.rounds):
        for method in METHODS:
            for program in PROGRAMS:
                rows.append({"round": number} | measure(program, method, args))
                print(rows[-1], file=sys.stderr, flush=True)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
