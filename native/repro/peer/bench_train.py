"""Times a training step of the derived network in PyTorch, and its evaluation: one JSON object.

    python bench_train.py --batch 96 --channels-last --steps 3

The network is that of c10_s5_pgd. A step is forward, backward, clip and SGD, with drop-path 0.2; an
evaluation is the loss of the same batch in eval mode without gradients. The images are random numbers.
Times are the median of --steps after --warmup that are not timed, the spread the slowest minus the fastest.
Peak memory (10^6 bytes) is the most that the process held, PyTorch itself included.
"""

import argparse
import json
import statistics
import time

import torch

from bench import add_sizes, peak_memory_mb
from derived import C10_S5_PGD, DerivedNetwork, Training


def timed(work, args):
    seconds = []
    for _ in range(args.warmup + args.steps):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    seconds = seconds[args.warmup :]
    return {
        "step_seconds": statistics.median(seconds),
        "step_seconds_spread": max(seconds) - min(seconds),
    }


def measure(args):
    torch.manual_seed(args.seed)
    classes = 1000 if args.imagenet else 10
    network = DerivedNetwork(C10_S5_PGD, args.channels, args.cells, classes, args.imagenet)
    images = torch.randn(args.batch, 3, args.image_size, args.image_size)
    if args.channels_last:
        network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    labels = torch.arange(args.batch) % classes
    smoothing, drop_path = (0.1, 0.0) if args.imagenet else (0.0, 0.2)
    training = Training(network, smoothing=smoothing, drop_path=drop_path)
    step = timed(lambda: training.step(images, labels), args)
    memory = peak_memory_mb()
    training.optimiser.zero_grad()
    return {
        "kind": "train",
        "layout": "nhwc" if args.channels_last else "nchw",
        "batch_size": args.batch,
        "channels": args.channels,
        "cells": args.cells,
        "image_size": args.image_size,
        "weights": sum(weight.numel() for weight in network.parameters()),
        "steps": args.steps,
        **step,
        "evaluation": timed(lambda: training.evaluate(images, labels), args),
        "peak_memory_mb": memory,
        "import_memory_mb": args.import_memory_mb,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_sizes(parser, batch=96, channels=36, cells=20)
    parser.add_argument("--imagenet", action="store_true", help="the network for images of 224 pixels")
    return parser.parse_args()


def main():
    args = arguments()
    args.import_memory_mb = peak_memory_mb()
    torch.set_num_threads(args.threads)
    print(json.dumps(measure(args)), flush=True)


if __name__ == "__main__":
    main()
