"""Times the search step of the PyTorch program: one JSON object a line, one line a method.

    python bench.py --method sdarts-adv --channels-last --steps 3

The images are random numbers. A step is a whole step of the search; its time is the median of
--steps steps after --warmup steps that are not timed, its spread the slowest minus the fastest.
Peak memory (10^6 bytes) is the most that the process ever held, PyTorch itself included;
import_memory_mb says how much that is. With several methods in one run the peak is that of the
largest so far.
"""

import argparse
import json
import resource
import statistics
import sys
import time

import torch

from network import SPACES, Network
from step import METHODS, Search


def peak_memory_mb():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def batch(args):
    images = torch.randn(args.batch, 3, args.image_size, args.image_size)
    if args.channels_last:
        images = images.to(memory_format=torch.channels_last)
    return images, torch.randint(args.classes, (args.batch,))


def measure(method, args):
    """A row of the output."""
    torch.manual_seed(args.seed)
    network = Network(args.space, args.channels, args.cells, args.classes)
    alpha = network.initial_alpha()
    if args.channels_last:
        network.to(memory_format=torch.channels_last)
    search = Search(network, alpha, method, lean=args.lean)
    seconds = []
    for _ in range(args.warmup + args.steps):
        train, valid = batch(args), batch(args)
        start = time.perf_counter()
        search.step(train, valid)
        seconds.append(time.perf_counter() - start)
    timed = seconds[args.warmup :]
    return {
        "method": method,
        "layout": "nhwc" if args.channels_last else "nchw",
        "lean": args.lean,
        "space": args.space,
        "batch_size": args.batch,
        "channels": args.channels,
        "cells": args.cells,
        "image_size": args.image_size,
        "steps": args.steps,
        "step_seconds": statistics.median(timed),
        "step_seconds_spread": max(timed) - min(timed),
        "peak_memory_mb": peak_memory_mb(),
        "import_memory_mb": args.import_memory_mb,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def add_sizes(parser, batch, channels, cells):
    """The flags that every bench has, with its sizes as their defaults."""
    parser.add_argument("--batch", type=positive, default=batch)
    parser.add_argument("--channels", type=positive, default=channels)
    parser.add_argument("--cells", type=positive, default=cells)
    parser.add_argument("--image-size", type=positive, default=32)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--channels-last", action="store_true", help="NHWC in memory, else NCHW")
    parser.add_argument("--steps", type=positive, default=3)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--seed", type=int, default=2)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", action="append", choices=METHODS, help="repeatable; default: all")
    parser.add_argument("--space", default="s5", choices=SPACES)
    add_sizes(parser, batch=16, channels=16, cells=8)
    parser.add_argument("--classes", type=positive, default=10)
    parser.add_argument(
        "--lean", action="store_true", help="no weight gradients in the α-step and the attack"
    )
    return parser.parse_args()


def main():
    args = arguments()
    args.import_memory_mb = peak_memory_mb()
    torch.set_num_threads(args.threads)
    for method in args.method or METHODS:
        print(json.dumps(measure(method, args)), flush=True)


if __name__ == "__main__":
    main()
