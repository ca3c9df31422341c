"""Times the PyTorch program and sdarts in turns, and prints PyTorch's time ÷ ours.

    python compare.py --sdarts ../../../target/release/sdarts --size paper --csv paper.csv

A round times each program once, each in a process of its own: PyTorch in NCHW, PyTorch in
channels-last (NHWC), sdarts. Taking turns keeps a slow minute of the machine from counting against
one of them only. A ratio is that of two times of one round; the table has the median over the
rounds and, in brackets, the range.

Run it on a machine that does nothing else. PyTorch's threads wait for each other after every
operation: other programs on the same cores have slowed a step of 6 s to 190 s. The load of the
machine before the first round is printed with the result.

    python compare.py --device gpu --sdarts PATH --csv gpu.csv --json gpu.jsonl

On a GPU a round has more programs (GPU_PEERS; the words of a name are in PEER_FLAGS). A process times all
methods, since it starts slowly; without --sdarts PyTorch is timed alone. What fails, or is not done within
--limit seconds, is a row that says so; the exit code is 1 then.
"""

import argparse
import csv
import json
import os
import platform
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sizes import METHODS, SIZES, SPACES

HERE = Path(__file__).resolve().parent
OURS = "sdarts"
BUSY = 0.3  # load above which the result is not to be trusted
# Flags of the peer by the words of its name.
PEER_FLAGS = {
    "pytorch": [],
    "nchw": [],
    "nhwc": ["--channels-last"],
    "lean": ["--lean"],
    "graphs": ["--graphs"],
    "edges": ["--compile", "edge"],
    "cells": ["--compile", "cell"],
    "tf32": ["--tf32"],
    "amp": ["--amp"],
    "guessed": ["--no-benchmark"],
}
# The slowest to start come last; "cells" would take minutes to compile.
GPU_PEERS = (
    "pytorch-nchw",
    "pytorch-nhwc",
    "pytorch-nhwc-lean",
    "pytorch-nchw-graphs-lean",
    "pytorch-nhwc-graphs",
    "pytorch-nhwc-graphs-lean",
    "pytorch-nhwc-edges-graphs",
    "pytorch-nhwc-edges-graphs-lean",
)
GPU_LIMIT = 240
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
    "card",
    "driver",
    "date",
    "error",
)


def peer_command(name, methods, args):
    if args.size == "train":
        command = [sys.executable, str(HERE / "bench_train.py")]
    else:
        command = [sys.executable, str(HERE / "bench.py")]
        command += [word for method in methods for word in ("--method", method)]
    command += [flag for word in name.split("-") for flag in PEER_FLAGS[word]]
    for flag, _, value in sizes(args):
        command += [flag, str(value)]
    if space := SPACES.get(args.size):
        command += ["--space", space]
    if args.device == "gpu":
        command += ["--device", "cuda", "--warmup", str(args.warmup)]
    return command + ["--threads", str(args.threads), "--steps", str(args.steps)]


def our_command(methods, args):
    command = [*shlex.split(args.sdarts), "bench", "--json"]
    if args.size == "train":
        command += ["--train", "c10_s5_pgd"]
    else:
        command += ["--preset", "cifar10-s5-sdarts-adv"]
        command += [word for method in methods for word in ("--method", METHODS[method])]
    if space := SPACES.get(args.size):
        command += ["--space", space]
    for _, setting, value in sizes(args):
        command += ["--set", f"{setting}={value}"]
    if args.device == "gpu":
        command += ["--device", "wgpu", "--warmup", str(args.warmup), "--skip-peaks"]
    else:
        command += ["--device", "cpu", "--threads", str(args.threads), "--skip-peaks"]
    return command + ["--steps", str(args.steps)]


def sizes(args):
    """Those of the size that is compared, with the batch that was asked for."""
    for flag, setting, value in SIZES[args.size]:
        yield flag, setting, args.batch if args.batch and flag == "--batch" else value


def programs(args):
    """Names of the programs and their commands by methods, in the order of a round."""
    names = args.program
    if not names and args.device == "gpu":
        kinds = ["", *(f"-{kind}" for kind in ("tf32", "amp") if getattr(args, kind))]
        names = [name + kind for kind in kinds for name in GPU_PEERS]
    elif not names:
        names = ["pytorch-nchw", "pytorch-nhwc"] + ["pytorch-nhwc-lean"] * args.lean
    commands = {
        name: lambda methods, name=name: peer_command(name, methods, args) for name in names
    }
    return commands | ({OURS: lambda methods: our_command(methods, args)} if args.sdarts else {})


def output(command, args):
    """Exit code, standard output and error of a command; None as its code after the time limit."""
    # OpenMP and MKL must not take more than PyTorch is told to.
    threads = str(args.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    # Files, not pipes: a compiler that outlives its parent would hold a pipe open.
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        streams = {"stdout": printed, "stderr": errors, "start_new_session": True}
        with subprocess.Popen(command, env=environment, **streams) as process:
            try:
                code = process.wait(args.limit)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                code = None
        printed.seek(0)
        errors.seek(0)
        return code, printed.read(), errors.read()


def run(command, rows, args):
    """The JSON objects that a command prints, as many as rows; those that lack say why."""
    code, printed, errors = output(command, args)
    found = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    if code == 0 and len(found) == rows:
        return found
    print(f"{errors[-4000:]}\nexit code {code}: {shlex.join(command)}", file=sys.stderr)
    last = (errors.strip().splitlines() or [""])[-1]
    reason = f"not done in {args.limit} s" if code is None else f"exit code {code}: {last[:200]}"
    return (found + rows * [{"error": reason}])[:rows]


def measure(args):
    """Yields all rows, round by round."""
    commands, machine = programs(args), card() if args.device == "gpu" else {}
    # On a CPU the peak of memory is that of a process, so each method has one.
    groups = [args.method] if args.device == "gpu" else [[method] for method in args.method]
    for number in range(1, args.rounds + 1):
        for methods in groups:
            for program, command in commands.items():
                for method, found in zip(methods, run(command(methods), len(methods), args)):
                    about = {"size": args.size, "round": number, "program": program, **machine}
                    about |= {"threads": args.threads, "steps": args.steps}
                    about["date"] = datetime.now(UTC).isoformat(timespec="seconds")
                    if args.device == "gpu" and program == OURS and "error" not in found:
                        about["peak_memory_mb"] = found.get("device_memory_mb")
                    yield found | about | {"method": method}
                    if "evaluation" in found:
                        yield found | found["evaluation"] | about | {"method": "evaluation"}


def card():
    """Name and driver of the GPU."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        text = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        name, driver = text.splitlines()[0].split(", ")
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        name, driver = "unknown", "unknown"
    return {"card": name, "driver": driver}


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
        ours = {row["round"]: row.get("step_seconds") for row in found.get(OURS, [])}
        for program, of_rounds in found.items():
            yield f"| {method} | {program} | {line(program, of_rounds, ours)} |"


def line(program, of_rounds, ours):
    """The other columns of a program: of the rounds that it was done in, else why it was not."""
    done = [row for row in of_rounds if "error" not in row]
    if not done:
        return f"{of_rounds[0]['error'].replace('|', '/')} | | | |"
    times = [row["step_seconds"] for row in done]
    within = statistics.median(row["step_seconds_spread"] for row in done)
    memory = max(row["peak_memory_mb"] or 0 for row in done)
    ratios = [row["step_seconds"] / ours[row["round"]] for row in done if ours.get(row["round"])]
    if program == OURS:
        ratio = "1"
    elif ratios:
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    else:
        ratio = ""
    return (
        f"{statistics.median(times):.3f} | {max(times) - min(times):.3f} "
        f"| {within:.3f} | {memory:.0f} | {ratio}"
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
    what = "c10_s5_pgd" if args.size == "train" else f"space {SPACES.get(args.size, 's5')}"
    versions = {row["torch"] for row in rows if row.get("torch")}
    machine = f"{args.threads} threads, {processor()}"
    if args.device == "gpu":
        machine = f"{rows[0]['card']}, driver {rows[0]['driver']}, {rows[0]['date']}, {processor()}"
    return (
        f"Size {args.size} ({what}, {size}), {args.rounds} rounds of {args.steps} steps, "
        f"{machine}, PyTorch {', '.join(sorted(versions))}, load before {load_before:.1f}\n"
    )


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument(
        "--sdarts", metavar="PATH", help="our program, built --release; needed on a CPU"
    )
    parser.add_argument("--size", choices=SIZES, help="default: paper, gpu on a GPU")
    parser.add_argument(
        "--method", action="append", choices=METHODS, help="repeatable; default: darts, sdarts-adv"
    )
    parser.add_argument("--batch", type=int, default=0, help="images of a batch; default: the size's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--steps", type=int, help="timed steps of a program in a round; default: 3, 10 on a GPU"
    )
    parser.add_argument("--warmup", type=int, default=4, help="steps before, on a GPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--lean",
        action="store_true",
        help="also time PyTorch in NHWC without the weight gradients that are thrown away",
    )
    parser.add_argument("--tf32", action="store_true", help="also time the GPU's programs in TF32")
    parser.add_argument("--amp", action="store_true", help="also time them in bfloat16")
    parser.add_argument(
        "--program",
        action="append",
        metavar="NAME",
        help=f"these of the peer's, repeatable: pytorch and words out of {', '.join(PEER_FLAGS)}, with -",
    )
    parser.add_argument(
        "--limit", type=float, help=f"seconds of a process; default: none, {GPU_LIMIT} on a GPU"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same with all that is known")
    args = parser.parse_args()
    on_gpu = args.device == "gpu"
    args.size = args.size or ("gpu" if on_gpu else "paper")
    args.steps = args.steps or (10 if on_gpu else 3)
    args.limit = args.limit or (GPU_LIMIT if on_gpu else None)
    check(args, parser)
    if args.size == "train":
        args.method = ["train"]
    args.method = args.method or ["darts", "sdarts-adv"]
    return args


def check(args, parser):
    """Ends the program where the flags do not go together."""
    if min(args.rounds, args.steps, args.threads) < 1:
        parser.error("--rounds, --steps and --threads are at least 1")
    if not args.sdarts and args.device == "cpu":
        parser.error("--sdarts PATH is needed")
    if args.sdarts and not shutil.which(shlex.split(args.sdarts)[0]):
        parser.error(f"--sdarts: there is no program {args.sdarts}")
    if args.size == "train" and (args.method or args.lean or args.device == "gpu"):
        parser.error("--size train has no --method, no --lean and no --device gpu")
    if args.device == "gpu" and args.lean:
        parser.error("--lean: programs of a GPU without these gradients are timed anyway")
    if args.device == "cpu" and (args.tf32 or args.amp):
        parser.error("--tf32 and --amp need --device gpu")
    for name in args.program or ():
        if unknown := set(name.split("-")) - PEER_FLAGS.keys():
            parser.error(f"--program {name}: {', '.join(unknown)} is not one of its words")


def write(args, rows):
    """All rows, after each of them, so that an interrupted comparison leaves what it has."""
    if args.csv:
        with open(args.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    if args.json:
        args.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main():
    args = arguments()
    # `timeout` ends this process alone: its child has to go with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows, load_before = [], load()
    if load_before > BUSY:
        print(f"the load is {load_before:.1f}: ratios will flatter {OURS}", file=sys.stderr)
    try:
        for row in measure(args):
            rows.append(row)
            write(args, rows)
            what = row.get("error") or f"{row['step_seconds']:.4f} s"
            about = f"round {row['round']} {row['method']} {row['program']}"
            print(f"{about}: {what}", file=sys.stderr, flush=True)
    finally:
        if rows:
            print(heading(rows, args, load_before))
            print("\n".join(table(rows, dict.fromkeys(row["method"] for row in rows))), flush=True)
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
