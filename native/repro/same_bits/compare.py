#!/usr/bin/env python3
"""Two builds of sdarts find the same: weights and genotypes, bit for bit.

    compare.py OLD NEW [--only WORD]

runs the searches and trainings of RUNS with both programs on the CPU, with the same number of threads, and compares
weights.safetensors and genotype.json. A change that is to change no number is held to it: build the
commit before it, keep its `sdarts`, and compare. Exit code 1, where a file differs.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

SMALL = ("--preset browser --epochs 2 --set search.cells=3 --set data.train_images=96 "
         "--set perturbation.steps=2").split()
FILES = ["weights.safetensors", "genotype.json"]


def small(space, method, *settings):
    """A search of a few seconds; 5 cells where the space has three stages."""
    cells = ["--set", "search.cells=5"] if space == "nasbench201" else []
    flags = SMALL + cells + ["--method", method, "--set", f"search.space={space}"]
    return flags + [word for setting in settings for word in ("--set", setting)]


def trained(genotype, *settings):
    """A training of a few seconds."""
    return ["train", genotype] + [word for setting in settings for word in ("--set", setting)]


IMAGES = ("train.epochs=2", "train.cells=3", "train.channels=4", "train.batch_size=16", "data.train_images=96",
          "data.image_size=8", "data.crop_padding=1")
TEXT = ("recurrent.hidden=16", "recurrent.train_words=12000")
METHODS = ["darts", "sdarts-rs", "sdarts-adv", "darts-es", "darts-hessian"]
SPACES = ["darts", "s1", "s2", "s3", "s4", "s5", "nasbench201"]
RUNS = {
    "quick": ["--preset", "quick"],
    **{f"{method} in s5": small("s5", method) for method in METHODS},
    **{f"sdarts-adv in {space}": small(space, "sdarts-adv") for space in SPACES},
    **{f"darts in {space}": small(space, "darts") for space in SPACES},
    "second order": small("s2", "darts", "search.order=second"),
    "second order, penalty": small("s2", "darts-hessian", "search.order=second"),
    "paper mode": small("s3", "sdarts-adv", "mode=paper"),
    "L2 ball": small("s3", "sdarts-adv", 'perturbation.norm="l2"'),
    "attack in train mode": small("s3", "sdarts-adv", "quirks.attack_in_eval_mode=false"),
    "drop-path, Hessian": small("s2", "sdarts-rs", "search.drop_path=0.3", "hessian.every=1"),
    "one pass of validation batches": small("s2", "darts", 'quirks.alpha_batches="pass"'),
    "early stop": small("s2", "darts-es", "search.epochs=5", "hessian.every=1",
                        "early_stop.window=1", "early_stop.delta=1", "early_stop.factor=1e-6",
                        "early_stop.start_epoch=1"),
    "search of text": ["--preset", "ptb-quick", "--epochs", "2", "--set", "recurrent.hidden=16",
                       "--set", "recurrent.train_words=12000"],
    "training": trained("c10_s5_pgd", *IMAGES),
    "training in parts, average": trained("c10_s5_pgd", *IMAGES, "train.micro_batch=6", "train.ema=0.9"),
    "training on a text": trained("penn_pgd", *TEXT, "train.epochs=4", "train.nonmonotone=0"),
    "training on a text, momentum": trained("ENAS", *TEXT, "data.name=shakespeare", "train.epochs=2",
                                            "train.learning_rate=5", "train.momentum=0.9"),
    "plain operations": small("s5", "sdarts-adv", 'run.kernels="composed"'),
}


def run(program, flags, threads):
    """The files of one search or training."""
    flags = flags if flags[0] == "train" else ["search", *flags]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        command = [program, *flags, "--device", "cpu", "--threads", str(threads)]
        done = subprocess.run([*command, "--quiet", "--out", str(out)], capture_output=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
        return {name: (out / name).read_bytes() for name in FILES}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    different = 0
    for name, flags in RUNS.items():
        if args.only not in name:
            continue
        old, new = (run(program, flags, args.threads) for program in (args.old, args.new))
        wrong = [file for file in FILES if old[file] != new[file]]
        different += bool(wrong)
        print(f"{name:32}", "differs: " + ", ".join(wrong) if wrong else "equal", flush=True)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
