#!/usr/bin/env python3
"""Shows every method on NAS-Bench-201 at the size of the demonstration of the collapse.

usage: nasbench201.py --data-dir DIR --table FILE:COLUMN [--collapse RUNS] [--sdarts PROGRAM] [--out DIR]
                      [--seeds N] [--epochs N] [--jobs N]

Searches NAS-Bench-201 on CIFAR-10 with PC-DARTS, GDAS, NASP, SNAS and random search with weight
sharing, N seeds each, JOBS at a time with one thread each, into OUT/runs. DARTS, SDARTS-RS and
SDARTS-ADV are taken from RUNS, which ../collapse/run.py searched, and searched like the others without
it. What was finished before is not repeated, what was interrupted continues. Then writes, of all of them:

    OUT/runs.csv            the cell that each run ended in
    OUT/anytime.csv         true test error of the derived cell, epoch by epoch, over the seeds
    OUT/parameter_free.csv  share of its operations without weights
    OUT/hessian.csv         spectral norm of the Hessian, of the methods that have an alpha
    OUT/summary.md          the table of README.md

and draws them with `sdarts compare` into OUT/compare. Needs nothing but Python 3.8.
"""

import pathlib
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "collapse"))
import run as collapse  # noqa: E402

# ENAS is not among them: its controller decides what blocks read, and the cells of this space have none.
METHODS = ["pc-darts", "gdas", "nasp", "snas", "random-ws"]

# What a method has besides the settings of the collapse.
OWN = {
    # As in the preset of Figures 3 to 5.
    "snas": {"alpha.init_scale": 0.01},
    # A tenth of the architectures that are ranked in the paper, and also on the way: between two
    # rankings the derived cell stays what it is. There is no alpha whose Hessian could be taken.
    "random-ws": {"sampling.architectures": 100, "sampling.every": 5, "hessian.every": 0},
}


def main():
    flags = arguments()
    methods = METHODS if flags.collapse else [*collapse.METHODS, *METHODS]
    settings = collapse.known_settings(flags.sdarts)
    runs = {
        (method, seed): flags.out / "runs" / f"{method}-{seed}"
        for seed in range(flags.seeds)
        for method in methods
    }
    with ThreadPoolExecutor(flags.jobs) as pool:
        searches = [
            pool.submit(collapse.search, flags, settings | OWN.get(run[0], {}), *run, out)
            for run, out in runs.items()
        ]
        for one in searches:
            one.result()
    runs = baselines(flags) | runs
    collect(flags.out, {run: collapse.events(out) for run, out in runs.items()})
    collapse.compare(flags, runs.values())


def arguments():
    flags = collapse.parser(__doc__, out="methods", epochs=50)
    flags.add_argument("--table", required=True, help="FILE:COLUMN of true CIFAR-10 accuracies")
    flags.add_argument("--collapse", type=pathlib.Path, help="the runs of ../collapse/run.py")
    return flags.parse_args()


def baselines(flags):
    """The runs of the collapse, of as many seeds."""
    if not flags.collapse:
        return {}
    return {
        (method, seed): flags.collapse / f"{method}-{seed}"
        for method in collapse.METHODS
        for seed in range(flags.seeds)
    }


def collect(out, runs):
    # The same order of methods in every table.
    runs = dict(sorted(runs.items(), key=lambda one: (rank(one[0][0]), one[0][1])))
    collapse.curves(out, runs)
    header, rows = collapse.endings(runs)
    collapse.write(out / "runs.csv", header, rows)
    summary(out / "summary.md", header, rows, runs)


def rank(method):
    return [*collapse.METHODS, *METHODS].index(method)


def summary(path, header, rows, runs):
    """A line for every method: mean ± sample standard deviation over the seeds."""
    lines = ["| method | true test accuracy, % | worst, best | best on the way, % | without weights | Hessian norm |"]
    lines.append("|---|---|---|---|---|---|")
    for method in dict.fromkeys(method for method, _ in runs):
        own = [dict(zip(header, row)) for row in rows if row[0] == method]
        accuracy = [one["test_accuracy_percent"] for one in own]
        norms = [collapse.norm(run["hessian"][-1]) for (one, _), run in runs.items() if one == method and "hessian" in run]
        columns = [method, spread(accuracy, 2), f"{min(accuracy):.1f}, {max(accuracy):.1f}"]
        columns.append(spread([one["best_on_the_way_percent"] for one in own], 2))
        columns.append(f"{statistics.mean(one['parameter_free_share'] for one in own):.2f}")
        columns.append(spread(norms, 3) if norms else "no α")
        lines.append(f"| {' | '.join(columns)} |")
    path.write_text("\n".join(lines) + "\n")
    print(path.read_text())


def spread(values, digits):
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


if __name__ == "__main__":
    main()
