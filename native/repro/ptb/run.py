#!/usr/bin/env python3
"""Recurrent cells on a slice of the real Penn Treebank, small enough for one core: searched, drawn at random,
published.

    native/repro/ptb/run.py --sdarts target/debug/sdarts --data-dir DIR --out OUT

Searches with three methods and three seeds, then trains what was found, cells drawn at random and published
ones, all alike. DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt, plain or .gz; their first words are written to
OUT/text. A run that is there already is not done again. Writes search.csv and training.csv (a line for
each run) and prints the tables of README.md."""

import argparse
import csv
import gzip
import json
import pathlib
import random
import statistics
import subprocess

METHODS = ["darts", "sdarts-rs", "sdarts-adv"]
PUBLISHED = ["penn_DARTS_V1", "penn_pgd"]
ACTIVATIONS = ["tanh", "relu", "sigmoid", "identity"]
NODES = 8
# Words of each part, to the end of a line.
SLICE = {"train": 60_000, "valid": 20_000, "test": 20_000}
# The 2,000 most frequent words: decoder and softmax are most of the arithmetic.
TEXT = {"recurrent.hidden": 32, "data.vocabulary_limit": 2000}
# The dropouts of the paper are for 300 and 850 units: 32 would hardly learn.
DROPOUTS = {
    "recurrent.dropout": 0.2,
    "recurrent.dropout_input": 0.2,
    "recurrent.dropout_hidden": 0.1,
    "recurrent.dropout_embedding": 0.1,
}
SEARCH = {
    **TEXT,
    **DROPOUTS,
    "recurrent.train_words": 30_000,
    "search.batch_size": 16,
    "search.epochs": 8,
    # At the 20 of the presets the training loss rose again after four epochs.
    "weights.learning_rate": 10,
    "weights.learning_rate_min": 10,
    "alpha.learning_rate": 0.03,
    # One batch whose gradient explodes would leave Adam with tiny steps for all others.
    "alpha.clip": 0.25,
    # Once the weights fit, the gradient of an α is about as large as 0.001 · α, which would pull it back.
    "alpha.weight_decay": 0,
    "perturbation.epsilon_max": 0.3,
    "perturbation.steps": 2,
}
# In eight epochs the validation loss falls unevenly: averaged SGD would begin at one epoch or another, by the seed
# alone, and make more of a difference than cells do (133 and 159 for one cell at two seeds).
TRAINING = {**TEXT, "train.epochs": 8, "train.nonmonotone": 8}


class Program:
    def __init__(self, args):
        self.sdarts, self.out = args.sdarts, args.out
        self.fixed = ["--data", "text", "--data-dir", str(args.out / "text"), "--device", "cpu"]
        self.fixed += ["--threads", str(args.threads), "--quiet"]

    def run(self, name, command, settings):
        """The events of a run in the folder `name`."""
        command = [self.sdarts, *command, *self.fixed, "--out", str(self.out / name)]
        command += [f"--set={key}={value}" for key, value in settings.items()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return [json.loads(line) for line in (self.out / name / "events.jsonl").read_text().splitlines()]


def cut(folder, out):
    """Writes the first lines of each part."""
    out.mkdir(parents=True, exist_ok=True)
    for part, words in SLICE.items():
        file = next(path for path in (folder / f"ptb.{part}.txt", folder / f"ptb.{part}.txt.gz") if path.exists())
        lines, count = [], 0
        with (gzip.open if file.suffix == ".gz" else open)(file, "rt") as source:
            while count < words:
                lines.append(source.readline())
                count += len(lines[-1].split()) + 1  # and <eos>
        (out / f"{part}.txt").write_text("".join(lines))


def text(cell):
    return f"Genotype(recurrent={[tuple(edge) for edge in cell]}, concat=range(1, {NODES + 1}))"


def random_cell(seed):
    """Each node reads one of the states before it through one of the activations, all evenly likely."""
    draw = random.Random(seed)
    return [(draw.choice(ACTIVATIONS), draw.randrange(node + 1)) for node in range(NODES)]


def depth(cell):
    """Nodes on the longest way."""
    depths = [0]
    for _, source in cell:
        depths.append(depths[source] + 1)
    return max(depths)


def taken(probabilities):
    """Of every node: p of the operation that it takes, on its edge; `none` is left out where the genotype is read."""
    found, row = [], 0
    for node in range(NODES):
        found.append(max(p for edge in probabilities[row:row + node + 1] for p in edge[1:]))
        row += node + 1
    return found


def searched(program, method, seed):
    command = ["search", "--preset", f"ptb-{method}", "--seed", str(seed)]
    events = program.run(f"search/{method}-{seed}", command, SEARCH)
    epochs = [it for it in events if it["type"] == "epoch_finished"]
    cell = epochs[-1]["genotype"]["recurrent"]
    before = epochs[-4]["genotype"]["recurrent"]
    row = {
        "method": method,
        "seed": seed,
        "valid_perplexity": round(epochs[-1]["perplexity"]["valid"], 2),
        "train_perplexity": round(epochs[-1]["perplexity"]["train"], 2),
        "median_p_taken": round(statistics.median(taken(epochs[-1]["probabilities"][0])), 3),
        # Nodes whose activation was the same three epochs earlier, and those whose edge was.
        "activations_settled": sum(one[0] == other[0] for one, other in zip(before, cell)),
        "edges_settled": sum(one == other for one, other in zip(before, cell)),
        "identities": sum(name == "identity" for name, _ in cell),
        "depth": depth(cell),
        "cell": text(cell),
    }
    return row


def trained(program, group, name, cell, seed):
    events = program.run(f"train/{name}-{seed}", ["train", cell, "--preset", "train-ptb-quick", "--seed", str(seed)], TRAINING)
    end = [it for it in events if it["type"] == "trained"][-1]
    return {
        "group": group,
        "cell": name,
        "seed": seed,
        "valid_perplexity": round(end["perplexity"], 2),
        "test_perplexity": round(end["test_perplexity"], 2),
        "best_epoch": end["best_epoch"] + 1,
        "averaged": any(it.get("averaged") for it in events if it["type"] == "train_epoch"),
    }


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def table(rows, group, keys):
    for name in dict.fromkeys(row[group] for row in rows):
        cells = [name]
        for key in keys:
            values = [row[key] for row in rows if row[group] == name]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{spread}")
        print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdarts", required=True)
    parser.add_argument("--data-dir", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--training-seeds", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--random", type=int, default=4, help="cells drawn at random")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    cut(args.data_dir, args.out / "text")
    program, searches, trainings = Program(args), [], []
    for seed in args.seeds:
        for method in METHODS:
            searches.append(searched(program, method, seed))
            write(args.out / "search.csv", searches)
    cells = [(name, name, name) for name in PUBLISHED]
    cells += [("random", f"random-{n}", text(random_cell(n))) for n in range(1, args.random + 1)]
    cells += [(it["method"], f"{it['method']}-{it['seed']}", it["cell"]) for it in searches]
    for seed in args.training_seeds:
        for cell in cells:
            trainings.append(trained(program, *cell, seed))
            write(args.out / "training.csv", trainings)
    table(searches, "method", ["valid_perplexity", "median_p_taken", "activations_settled", "edges_settled", "identities", "depth"])
    table(trainings, "group", ["valid_perplexity", "test_perplexity"])


if __name__ == "__main__":
    main()
