"""Times recurrent.py and sdarts in turns, and prints PyTorch's time ÷ ours of each round.

    python compare_recurrent.py --sdarts PATH --what search --rounds 2 [--compile] [--csv FILE]
    python compare_recurrent.py --sdarts PATH --what training --rounds 2 [--compile] [--csv FILE]

A round times each program once, each in a process of its own, the step as the median of --steps steps. The
paper's sizes: search hidden 300, batch 256; training hidden 850, batch 64; sequences of 35 words, 10,000 words.
PyTorch's threads sleep while they wait. The load of the machine before a program stands beside its row.
"""

import argparse
import csv
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
OURS = "sdarts"


def commands(args):
    peer = [sys.executable, str(HERE / "bench_recurrent.py"), "--what", args.what]
    peer += ["--threads", str(args.threads), "--steps", str(args.steps)]
    ours = [*shlex.split(args.sdarts), "bench", "--device", "cpu", "--json", "--skip-peaks"]
    ours += ["--threads", str(args.threads), "--steps", str(args.steps)]
    if args.what == "search":
        ours += ["--preset", "ptb-sdarts-rs", "--method", "sdarts-rs"]
    else:
        settings = {
            "data.name": "ptb",
            "recurrent.hidden": 850,
            "recurrent.dropout_word": 0.1,
            "train.batch_size": 64,
            "train.learning_rate": 20,
            "train.momentum": 0,
            "train.weight_decay": 8e-7,
            "train.clip": 0.25,
        }
        ours += ["--train", "penn_pgd"]
        ours += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    programs = {"pytorch": peer}
    if args.what == "search":
        programs["pytorch-lean"] = [*peer, "--lean"]
    if args.compile:
        lean = ["--lean"] if args.what == "search" else []
        programs["pytorch-compiled"] = [*peer, "--compile", *lean]
    return {**programs, OURS: ours}


def timed(command):
    load = os.getloadavg()[0]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **QUIET}, check=False
    )
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}: {done.stderr[-2000:]}")
    row = json.loads(done.stdout.splitlines()[-1])
    return {
        "step_seconds": row["step_seconds"],
        "peak_memory_mb": row["peak_memory_mb"],
        "load": load,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sdarts", required=True)
    parser.add_argument("--what", choices=("search", "training"), default="search")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--csv")
    args = parser.parse_args()
    rows = []
    for number in range(args.rounds):
        for name, command in commands(args).items():
            rows.append({"what": args.what, "round": number, "program": name, **timed(command)})
            print(rows[-1], file=sys.stderr, flush=True)
    ours = {row["round"]: row["step_seconds"] for row in rows if row["program"] == OURS}
    print(f"{'program':<18}{'step, s':>9}{'memory, MB':>12}  ÷ ours")
    for name in commands(args):
        of = [row for row in rows if row["program"] == name]
        ratios = sorted(row["step_seconds"] / ours[row["round"]] for row in of)
        step = statistics.median(row["step_seconds"] for row in of)
        memory = max(row["peak_memory_mb"] for row in of)
        span = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"{name:<18}{step:>9.3f}{memory:>12.0f}  {span}")
    if args.csv:
        with open(args.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
