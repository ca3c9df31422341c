#!/usr/bin/env python3
"""Shows every method on space 1 of NAS-Bench-1Shot1, with a table that grows.

usage: oneshot.py --data-dir DIR --table TABLE [--sdarts PROGRAM] [--out DIR]
                  [--seeds N] [--epochs N] [--jobs N]

Searches oneshot-1 on CIFAR-10 with DARTS, SDARTS-RS, SDARTS-ADV, PC-DARTS, GDAS, NASP, SNAS, ENAS and
random search with weight sharing, N seeds each, JOBS at a time with one thread each, into OUT/runs.
Copies TABLE (of `sdarts table convert`) to OUT/ours.table, and trains every cell that a run would have
ended with after any epoch, small, into it (`sdarts table fill`). What was finished before is not
repeated, what was interrupted continues. Then writes

    OUT/runs.csv      the cell that each run ended in
    OUT/cells.csv     every cell that was trained
    OUT/anytime.csv   test error of the derived cell in our training, epoch by epoch, over the seeds
    OUT/hessian.csv   spectral norm of the Hessian, of the methods that have an alpha
    OUT/summary.md    the table of README.md

and draws them with `sdarts compare --table` into OUT/compare. Needs nothing but Python 3.8.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor

import nasbench201 as methods
from nasbench201 import collapse

METHODS = [*collapse.METHODS, *methods.METHODS, "enas"]

# 2,000 images train w and 2,000 alpha (3,600 and 400 of ENAS, as its preset has it), 16x16 pixels; the rest,
# 3 cells of 8 channels at batch 32, are the presets' (`sdarts search --preset oneshot-1-gdas-small --print-config`).
SEARCH = {"data.train_images": 4000}

# What a cell is trained with: a quarter of a minute of one core.
TRAINING = {"data.train_images": 8000, "data.image_size": 16, "data.crop_padding": 2}
TRAINING_EPOCHS = 6

# A method without alpha has no Hessian.
WITHOUT_ALPHA = {"random-ws", "enas"}


def main():
    flags = arguments()
    runs = {
        (method, seed): flags.out / "runs" / f"{method}-{seed}"
        for seed in range(flags.seeds)
        for method in METHODS
    }
    with ThreadPoolExecutor(flags.jobs) as pool:
        for one in [pool.submit(search, flags, *run, out) for run, out in runs.items()]:
            one.result()
    table = flags.out / "ours.table"
    if not table.exists():
        shutil.copyfile(flags.table, table)
    fill(flags, table, runs.values())
    collect(flags, table, {run: collapse.events(out) for run, out in runs.items()})
    compared = [flags.sdarts, "compare", *map(str, runs.values()), f"--table={table}"]
    subprocess.run([*compared, f"--out={flags.out / 'compare'}"], check=True)


def arguments():
    flags = collapse.parser(__doc__, out="oneshot", epochs=20)
    flags.add_argument("--table", required=True, type=pathlib.Path, help="a table of `sdarts table convert`")
    return flags.parse_args()


def search(flags, method, seed, out):
    command = [flags.sdarts, "search", f"--preset=oneshot-1-{method}-small", f"--seed={seed}"]
    command += [f"--epochs={flags.epochs}", "--data=cifar10", f"--data-dir={flags.data_dir}", f"--out={out}"]
    command += ["--device=cpu", "--threads=1", "--quiet"]
    command += settings({**SEARCH, "hessian.every": 0 if method in WITHOUT_ALPHA else 5})
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{method}, seed {seed}: done", flush=True)


def fill(flags, table, runs):
    """Trains the cells that the benchmark knows, too: its numbers and ours do not compare."""
    command = [flags.sdarts, "table", "fill", str(table), "--all", "--runs", *map(str, runs)]
    command += ["--data=cifar10", f"--data-dir={flags.data_dir}", f"--epochs={TRAINING_EPOCHS}"]
    command += [f"--threads={flags.jobs}", "--device=cpu", "--quiet", *settings(TRAINING)]
    subprocess.run(command, check=True)


def settings(values):
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def collect(flags, table, runs):
    known = Known(flags.sdarts, table)
    ours = {run: dict(trained(found, known)) for run, found in runs.items()}
    collapse.write(flags.out / "anytime.csv", *collapse.over_seeds("our_test_error_percent", ours))
    norms = {
        run: {one["epoch"]: collapse.norm(one) for one in found["hessian"]}
        for run, found in runs.items()
        if "hessian" in found
    }
    collapse.write(flags.out / "hessian.csv", *collapse.over_seeds("spectral_norm", norms))
    header, rows = endings(runs, ours, known)
    collapse.write(flags.out / "runs.csv", header, rows)
    cells = known.cells()
    collapse.write(flags.out / "cells.csv", ["hash", "our_test_error_percent", "parameters", "cell"], cells)
    summary(flags.out / "summary.md", header, rows, norms, [one[1] for one in cells])


class Known:
    """What the table knows of cells."""

    def __init__(self, sdarts, table):
        self.command = [sdarts, "table"]
        self.table = str(table)
        self.found = {}

    def find(self, cell):
        if cell not in self.found:
            asked = [*self.command, "find", self.table, cell, "--json"]
            answer = subprocess.run(asked, capture_output=True, text=True)
            self.found[cell] = json.loads(answer.stdout) if answer.returncode == 0 else None
        return self.found[cell]

    def error(self, cell):
        found = self.find(cell)
        return 100 * found["ours"]["test_error"] if found and found.get("ours") else None

    def cells(self):
        """Every training of ours, the best first."""
        asked = [*self.command, "info", self.table, "--json"]
        told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        cells = json.loads(told)["ours"]["cells"]
        rows = [[one["hash"], 100 * one["test_error"], one["parameters"], one["cell"]] for one in cells]
        return sorted(rows, key=lambda row: row[1])


def trained(found, known):
    """Epochs and errors; nothing of epochs before random search and ENAS have ranked anything."""
    for epoch in found["epoch_finished"]:
        error = known.error(epoch["genotype"])
        if not is_even(epoch["probabilities"]) and error is not None:
            yield epoch["epoch"], error


def is_even(probabilities):
    return all(len(set(row)) == 1 for group in probabilities for row in group)


def endings(runs, ours, known):
    header = ["method", "seed", "our_test_error_percent", "best_on_the_way_percent", "cells_on_the_way"]
    header += ["parameter_free_share", "hash", "cell"]
    rows = []
    for (method, seed), found in runs.items():
        last, errors = found["epoch_finished"][-1], ours[method, seed]
        passed = {epoch["genotype"] for epoch in found["epoch_finished"] if epoch["epoch"] in errors}
        row = [method, seed, known.error(last["genotype"]), min(errors.values()), len(passed)]
        rows.append([*row, last["parameter_free"][0], known.find(last["genotype"])["hash"], last["genotype"]])
    return header, rows


def summary(path, header, rows, norms, errors):
    """A line for every method: mean ± sample standard deviation over the seeds; and one for all cells."""
    lines = ["| method | test error in our training, % | best, worst | best on the way, % | Hessian norm |"]
    lines.append("|---|---|---|---|---|")
    for method in METHODS:
        own = [dict(zip(header, row)) for row in rows if row[0] == method]
        error = [one["our_test_error_percent"] for one in own]
        columns = [method, methods.spread(error, 2), f"{min(error):.1f}, {max(error):.1f}"]
        columns.append(methods.spread([one["best_on_the_way_percent"] for one in own], 2))
        last = [curve[max(curve)] for (one, _), curve in norms.items() if one == method]
        columns.append(methods.spread(last, 3) if last else "no α")
        lines.append(f"| {' | '.join(columns)} |")
    everything = [f"all {len(errors)} cells", methods.spread(errors, 2), f"{min(errors):.1f}, {max(errors):.1f}"]
    lines.append(f"| {' | '.join([*everything, '', ''])} |")
    path.write_text("\n".join(lines) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
