"""Images per second of PyTorch's DataLoader and of `sdarts bench --data`, in turns.

Both read the training images of one folder of class folders with the transforms of the authors'
training on ImageNet: RandomResizedCrop, flip, colour jitter 0.4 with hue 0.2, normalisation.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch
import torchvision
from torchvision import datasets, transforms


def pytorch(folder, size, batch, workers, passes):
    """Rates of the passes after the first, in one process of its own workers."""
    transform = transforms.Compose([
        transforms.RandomResizedCrop(size),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(folder / "train", transform),
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
    )
    rates = []
    for turn in range(passes + 1):
        began = time.perf_counter()
        images = sum(len(labels) for _, labels in loader)
        if turn > 0:
            rates.append(images / (time.perf_counter() - began))
    return statistics.median(rates)


def ours(sdarts, folder, size, batch, threads, passes):
    command = [
        sdarts, "bench", "--data", "folder", "--data-dir", str(folder), "--json",
        "--steps", str(passes), "--threads", str(threads),
        "--set", f"data.image_size={size}", "--set", f"search.batch_size={batch}",
        "--set", "data.transform=resized-crop", "--set", "data.colour_jitter=0.4",
        "--set", "data.hue_jitter=0.2", "--set", "data.keep=disk",
    ]
    row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return row["images_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdarts", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, load {load:.1f}")
    if load > 0.3:
        print("warning: the machine does something else")
    rows = []
    for number in range(args.rounds):
        theirs = pytorch(args.folder, args.size, args.batch, args.workers, args.passes)
        mine = ours(args.sdarts, args.folder, args.size, args.batch, args.workers, args.passes)
        rows.append((theirs, mine))
        print(f"round {number}: PyTorch {theirs:.0f} images/s, sdarts {mine:.0f} images/s, "
              f"ratio {mine / theirs:.2f}", flush=True)
    ratios = sorted(mine / theirs for theirs, mine in rows)
    print(f"median: PyTorch {statistics.median(t for t, _ in rows):.0f}, "
          f"sdarts {statistics.median(m for _, m in rows):.0f}, "
          f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
