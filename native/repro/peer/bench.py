"""Times the search step of the PyTorch program: one JSON object a line, one line a method.

    python bench.py --method sdarts-adv --channels-last --steps 3

The images are random numbers. A step is a whole step of the search; its time is the median of
--steps steps after --warmup steps that are not timed, its spread the slowest minus the fastest.
Peak memory (10^6 bytes) is the most that the process ever held, PyTorch itself included;
import_memory_mb says how much that is. With several methods in one run the peak is that of the
largest so far.

    python bench.py --device cuda --channels-last --graphs

On CUDA the clock is read after a synchronisation, the batches lie on the device, and the peak is that
of the tensors of this method on the device; reserved_memory_mb is what PyTorch held of the device for it.
"""

import argparse
import gc
import json
import math
import resource
import statistics
import sys
import time

import torch

import oneshot
from network import SPACES, Network
from replay import WARMUP, Replayed, compile_parts
from step import METHODS, Search, leaves


def peak_memory_mb():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def set_precision(tf32=False, benchmark=True):
    """What PyTorch leaves to its own defaults; nothing of it touches a CPU."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = benchmark


def synchronise(device):
    if device == "cuda":
        torch.cuda.synchronize()


def batch(args):
    images = torch.randn(args.batch, 3, args.image_size, args.image_size, device=args.device)
    if args.channels_last:
        images = images.to(memory_format=torch.channels_last)
    return images, torch.randint(args.classes, (args.batch,), device=args.device)


def network_of(args):
    if args.space in oneshot.SPACES:
        return oneshot.OneShot(args.space, args.channels, args.cells, args.classes)
    return Network(args.space, args.channels, args.cells, args.classes, args.partial)


def stepper(method, args):
    """The step of a new search."""
    torch.manual_seed(args.seed)
    network = network_of(args)
    alpha = leaves(rows.to(args.device) for rows in network.initial_alpha())
    network.to(args.device)
    if args.channels_last:
        network.to(memory_format=torch.channels_last)
    if args.compile:
        compile_parts(network, args.compile)
    search = Search(network, alpha, method, lean=args.lean, amp=args.amp)
    return Replayed(search.step) if args.graphs else search.step


def timed_steps(step, args):
    """Seconds of the timed steps, those of the first step, and the last losses."""
    warmup = max(args.warmup, WARMUP + 1) if args.graphs else args.warmup
    seconds = []
    for _ in range(warmup + args.steps):
        train, valid = batch(args), batch(args)
        synchronise(args.device)
        start = time.perf_counter()
        losses = step(train, valid)
        synchronise(args.device)
        seconds.append(time.perf_counter() - start)
    return seconds[warmup:], seconds[0], [loss.item() for loss in losses]


def memory(args):
    if args.device == "cpu":
        return {"peak_memory_mb": peak_memory_mb(), "import_memory_mb": args.import_memory_mb}
    return {
        "peak_memory_mb": torch.cuda.max_memory_allocated() / 1e6,
        "reserved_memory_mb": torch.cuda.max_memory_reserved() / 1e6,
    }


def measure(method, args):
    """A row of the output."""
    if args.device == "cuda":
        # What the method before left, its graph too.
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    timed, first, losses = timed_steps(stepper(method, args), args)
    if not all(map(math.isfinite, losses)):
        raise SystemExit(f"{method}: the losses are {losses}")
    return {
        "method": method,
        "layout": "nhwc" if args.channels_last else "nchw",
        "lean": args.lean,
        "graphs": args.graphs,
        "compile": args.compile,
        "tf32": args.tf32,
        "amp": args.amp,
        "space": args.space,
        "partial": args.partial,
        "batch_size": args.batch,
        "channels": args.channels,
        "cells": args.cells,
        "image_size": args.image_size,
        "steps": args.steps,
        "step_seconds": statistics.median(timed),
        "step_seconds_spread": max(timed) - min(timed),
        "first_step_seconds": first,
        "losses": losses,
        **memory(args),
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
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
    parser.add_argument("--space", default="s5", choices=(*SPACES, *oneshot.SPACES))
    add_sizes(parser, batch=16, channels=16, cells=8)
    parser.add_argument("--classes", type=positive, default=10)
    parser.add_argument(
        "--partial", type=positive, default=1, help="PC-DARTS: one in so many channels is mixed"
    )
    parser.add_argument(
        "--lean", action="store_true", help="no weight gradients in the α-step and the attack"
    )
    add_device(parser)
    parser.add_argument("--graphs", action="store_true", help="replay a step as one CUDA graph")
    parser.add_argument("--compile", choices=("edge", "cell"), help="torch.compile of each")
    parser.add_argument("--tf32", action="store_true", help="TF32 in products and convolutions")
    parser.add_argument("--amp", action="store_true", help="autocast to bfloat16")
    parser.add_argument(
        "--no-benchmark",
        action="store_true",
        help="cuDNN guesses its algorithms instead of timing them",
    )
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU")
    if args.graphs and args.device != "cuda":
        parser.error("--graphs needs --device cuda")
    return args


def add_device(parser):
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def main():
    args = arguments()
    args.import_memory_mb = peak_memory_mb()
    set_precision(args.tf32, benchmark=not args.no_benchmark)
    torch.set_num_threads(args.threads)
    for method in args.method or METHODS:
        print(json.dumps(measure(method, args)), flush=True)


if __name__ == "__main__":
    main()
