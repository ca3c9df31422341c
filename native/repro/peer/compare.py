"""Times the PyTorch program and sdarts in turns, and prints PyTorch's time ÷ ours.

    python compare.py --sdarts ../../../target/release/sdarts --size paper --csv paper.csv

A round times each program once, each in a process of its own: PyTorch in NCHW, PyTorch in
channels-last (NHWC), sdarts. Taking turns keeps a slow minute of the machine from counting against
one of them only. A ratio is that of two times of one round; the table has the median over the
rounds and, in brackets, the range.

Run it on a machine that does nothing else. PyTorch's threads wait for each other after every
operation: other programs on the same cores have slowed a step of 6 s to 190 s. The load of the
machine before the first round is printed with the result.
"""

import argparse
import csv
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "sdarts"
BUSY = 0.3  # load above which the result is not to be trusted
# Names of the methods, and what `sdarts bench` calls them.
METHODS = {
    "darts": "darts",
    "sdarts-rs": "sdarts-rs",
    "sdarts-adv": "sdarts-adv",
    "second-order": "darts-2nd",
}
# Flag of the peer, setting of sdarts, and their value in each size; searches are in the space s5.
SIZES = {
    "paper": (
        ("--batch", "search.batch_size", 16),
        ("--channels", "search.channels", 16),
        ("--cells", "search.cells", 8),
        ("--image-size", "data.image_size", 32),
    ),
    # The network of c10_s5_pgd, trained as in the paper's tables.
    "train": (
        ("--batch", "train.batch_size", 96),
        ("--channels", "train.channels", 36),
        ("--cells", "train.cells", 20),
        ("--image-size", "data.image_size", 32),
    ),
    "small": (
        ("--batch", "search.batch_size", 64),
        ("--channels", "search.channels", 4),
        ("--cells", "search.cells", 4),
        ("--image-size", "data.image_size", 16),
    ),
}
COLUMNS = (
    "size",
    "round",
    "program",
    "method",
    "step_seconds",
    "step_seconds_spread",
    "peak_memory_mb",
    "threads",
    "steps",
    "torch",
)


def peer_command(method, args, flags):
    if args.size == "train":
        command = [sys.executable, str(HERE / "bench_train.py"), *flags]
    else:
        command = [sys.executable, str(HERE / "bench.py"), "--method", method, *flags]
    for flag, _, value in sizes(args):
        command += [flag, str(value)]
    return command + ["--threads", str(args.threads), "--steps", str(args.steps)]


def our_command(method, args):
    command = [*shlex.split(args.sdarts), "bench", "--json"]
    if args.size == "train":
        command += ["--train", "c10_s5_pgd"]
    else:
        command += ["--preset", "cifar10-s5-sdarts-adv", "--method", METHODS[method]]
    for _, setting, value in sizes(args):
        command += ["--set", f"{setting}={value}"]
    command += ["--device", "cpu", "--threads", str(args.threads)]
    return command + ["--steps", str(args.steps)]


def sizes(args):
    """Those of the size that is compared, with the batch that was asked for."""
    for flag, setting, value in SIZES[args.size]:
        yield flag, setting, args.batch if args.batch and flag == "--batch" else value


def programs(args):
    """Names of the programs and their commands by method, in the order of a round."""
    peers = {"pytorch-nchw": [], "pytorch-nhwc": ["--channels-last"]}
    if args.lean:
        peers["pytorch-nhwc-lean"] = ["--channels-last", "--lean"]
    commands = {
        name: lambda method, flags=flags: peer_command(method, args, flags)
        for name, flags in peers.items()
    }
    return commands | {OURS: lambda method: our_command(method, args)}


def run(command, threads):
    """The JSON object that a command prints."""
    # OpenMP and MKL must not take more than PyTorch is told to.
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or len(lines) != 1:
        raise SystemExit(f"exit code {done.returncode}, {len(lines)} rows: {shlex.join(command)}")
    return json.loads(lines[0])


def measure(args):
    """Yields all rows, round by round."""
    commands = programs(args)
    for number in range(1, args.rounds + 1):
        for method in args.method:
            for program, command in commands.items():
                found = run(command(method), args.threads)
                pieces = {method: found}
                if "evaluation" in found:
                    pieces["evaluation"] = found | found["evaluation"]
                for name, piece in pieces.items():
                    row = {"size": args.size, "round": number, "program": program}
                    row |= {"threads": args.threads, "steps": args.steps}
                    row |= {key: piece.get(key, "") for key in COLUMNS if key not in row}
                    row["method"] = name
                    print(
                        f"round {number} {name} {program}: {row['step_seconds']:.3f} s",
                        file=sys.stderr,
                        flush=True,
                    )
                    yield row


def by_program(rows, method):
    """The rows of a method for each program, in the order of the rounds."""
    found = {}
    for row in rows:
        if row["method"] == method:
            found.setdefault(row["program"], []).append(row)
    return found


def table(rows, methods):
    """A Markdown table."""
    yield "| method | program | step, s | spread of the rounds, s | within a round, s | memory, MB | ÷ ours |"
    yield "|---|---|---|---|---|---|---|"
    for method in methods:
        found = by_program(rows, method)
        ours = [row["step_seconds"] for row in found[OURS]]
        for program, of_rounds in found.items():
            times = [row["step_seconds"] for row in of_rounds]
            within = statistics.median(row["step_seconds_spread"] for row in of_rounds)
            memory = max(row["peak_memory_mb"] or 0 for row in of_rounds)
            ratios = [time / our for time, our in zip(times, ours)]
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            yield (
                f"| {method} | {program} | {statistics.median(times):.3f} "
                f"| {max(times) - min(times):.3f} | {within:.3f} | {memory:.0f} "
                f"| {'1' if program == OURS else ratio} |"
            )


def processor():
    """Model of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def load():
    """Processes that wanted to run, on average over the last minute."""
    return os.getloadavg()[0]


def heading(rows, args, load_before):
    size = ", ".join(f"{setting.split('.')[1]} {value}" for _, setting, value in sizes(args))
    what = "c10_s5_pgd" if args.size == "train" else "space s5"
    versions = {row["torch"] for row in rows if row["torch"]}
    return (
        f"Size {args.size} ({what}, {size}), {args.rounds} rounds of {args.steps} steps, "
        f"{args.threads} threads, {processor()}, PyTorch {', '.join(sorted(versions))}, "
        f"load before {load_before:.1f}\n"
    )


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sdarts", required=True, metavar="PATH", help="our program, built --release")
    parser.add_argument("--size", choices=SIZES, default="paper")
    parser.add_argument(
        "--method", action="append", choices=METHODS, help="repeatable; default: darts, sdarts-adv"
    )
    parser.add_argument("--batch", type=int, default=0, help="images of a batch; default: the size's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a program in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--lean",
        action="store_true",
        help="also time PyTorch in NHWC without the weight gradients that are thrown away",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every row")
    args = parser.parse_args()
    if min(args.rounds, args.steps, args.threads) < 1:
        parser.error("--rounds, --steps and --threads are at least 1")
    if not shutil.which(shlex.split(args.sdarts)[0]):
        parser.error(f"--sdarts: there is no program {args.sdarts}")
    if args.size == "train":
        if args.method or args.lean:
            parser.error("--size train has no --method and no --lean")
        args.method = ["train"]
    args.method = args.method or ["darts", "sdarts-adv"]
    return args


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def main():
    args = arguments()
    rows, load_before = [], load()
    if load_before > BUSY:
        print(f"the load is {load_before:.1f}: ratios will flatter {OURS}", file=sys.stderr)
    for row in measure(args):
        rows.append(row)
        # After each row, so that an interrupted comparison leaves what it has.
        if args.csv:
            write_csv(args.csv, rows)
    print(heading(rows, args, load_before))
    print("\n".join(table(rows, dict.fromkeys(row["method"] for row in rows))))


if __name__ == "__main__":
    main()
