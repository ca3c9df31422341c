"""Holds the program against the golden numbers of the reference code.

    python check.py [--fixtures FOLDER] [--device cuda] [--part PART]

Reads every golden file of the kinds `cnn-search`, `cnn-search-partial` without edge weights, and `cnn-eval…` in the folder (else the one that SDARTS_FIXTURES
names, else ../shared/fixtures beside the checkout), in float64, in which the golden numbers were
computed, and in float32, which is what gets timed, in both memory layouts. Prints the largest
error of each quantity; exit code 1 if one is above its tolerance, 2 if there is nothing to check.

A ReLU whose input lies within rounding of 0 makes five steps fork: of 7 starts of cnn-s3 that
differ by 3e-7 of each weight 5 take another branch, 7e-3 to 9e-3 of the largest weight apart, in
float64 too. So in float64 the numbers are those of the given weights; in float32, where the sum of
a convolution depends on the machine, of the given weights or of some that cannot be told from them.

That is the part `golden`. The parts `replay` and `compile` hold a replayed step and a compiled one
against the step as written (`check_replay.py`). On CUDA the golden files of a search are read in
float32 alone, and all parts run; on a CPU `compile` only when asked for, since a C++ compiler takes
minutes.
"""

import argparse
import copy
import os
import sys
from pathlib import Path

import torch

from bench import add_device, set_precision
from check_derived import KINDS, DerivedCase
from check_replay import LAYOUTS, check_compiled, check_replay
from golden import CELLS, Case, Fixture, Report, flat
from network import Network
from step import Search, leaves, probabilities, row_clip

CHECKOUT = Path(__file__).resolve().parents[3]
PARTS = ("replay", "golden", "compile")
STEPS = 5
# Weights of the supernet with 16 channels and 8 cells, also of the spaces without a golden file.
WEIGHTS = {
    "darts": 1_930_618,
    "s1": 405_146,
    "s2": 665_466,
    "s3": 665_466,
    "s4": 624_506,
    "s5": 1_930_618,
}
SEARCHES = ("cnn-search", "cnn-search-partial")
# Its backward pass ends in "could not create a memory" of oneDNN, or in a corrupted heap.
BROKEN = ("cnn-eval-imagenet", torch.float32, "nhwc")


class SearchCase(Case):
    """A golden file of a search."""

    # Those of α and p.
    names = CELLS

    def __init__(self, fixture, dtype, layout):
        network = self.network_of(fixture.metadata).to(fixture.device, dtype)
        super().__init__(fixture, network, layout)
        self.dtype = dtype
        self.alpha = [rows.to(dtype).requires_grad_() for rows in self.given("alpha")]
        self.train, self.valid = (
            (
                fixture[f"x_{half}"].to(dtype).to(memory_format=layout),
                fixture[f"y_{half}"],
            )
            for half in ("train", "valid")
        )

    def network_of(self, about):
        return Network(
            about["space"],
            int(about["channels"]),
            int(about["cells"]),
            int(about["classes"]),
            partial=int(about.get("partial_channels", 1)),
        )

    def given(self, prefix):
        return [self.fixture[f"{prefix}/{name}"] for name in self.names]

    def search(self):
        """A search from the initial state."""
        return Search(
            copy.deepcopy(self.network),
            leaves(self.alpha),
            "sdarts-rs",
            epsilon=float(self.fixture.metadata["epsilon"]),
        )

    def by_weight(self, prefix):
        return [self.fixture[f"{prefix}/{name}"] for name, _ in self.network.named_parameters()]

    def outcome(self, search, half, batch, p):
        """Checks logits and loss; returns the loss."""
        logits = search.network(batch[0], p)
        loss = torch.nn.functional.cross_entropy(logits, batch[1])
        self.report.relative(f"{half}/logits", logits, self.fixture[f"{half}/logits"], 1e-4)
        self.report.relative(f"{half}/loss", loss, self.fixture[f"{half}/loss"], 1e-4)
        return loss

    def check(self):
        checks = (
            self.check_validation,
            self.check_training,
            self.check_noise,
            self.check_second_order,
            self.check_steps,
        )
        whole = Report()
        for check in checks:
            whole.rows += self.from_any_start(check).rows
        return whole

    def check_validation(self):
        search = self.search()
        self.outcome(search, "valid", self.valid, probabilities(search.alpha))
        expected = self.given("valid/grad_alpha")
        for lean in (False, True):
            search = self.search()
            search.lean = lean
            search.first_order_gradient(self.valid)
            name = "valid/grad_alpha" + (" lean" if lean else "")
            self.report.relative(name, [rows.grad for rows in search.alpha], expected, 1e-3)

    def check_training(self):
        """One forward and backward in train mode, then eval mode and attack with its statistics."""
        search, fixture = self.search(), self.fixture
        p = leaves(probabilities(self.alpha))
        self.outcome(search, "train", self.train, p).backward()
        found = [weight.grad for weight in search.weights]
        self.report.relative("train/grad", found, self.by_weight("train/grad"), 1e-3)
        self.report.relative("train/grad_norm", flat(found).norm(), fixture["train/grad_norm"], 1e-3)
        found = [rows.grad for rows in p]
        self.report.relative("train/grad_prob", found, self.given("train/grad_prob"), 1e-3)
        for kind in ("running_mean", "running_var"):
            buffers = {n: b for n, b in search.network.named_buffers() if n.endswith(kind)}
            expected = [fixture[f"train/{name}"] for name in buffers]
            self.report.relative(kind, list(buffers.values()), expected, 1e-3)

        search.network.eval()
        p = [rows.detach() for rows in p]
        with torch.no_grad():
            self.outcome(search, "eval", self.train, p)
        for lean in (False, True):
            search.lean = lean
            found, loss = search.attack(p, self.train, random_start=False)
            name = " lean" if lean else ""
            self.report.share("adv/prob off" + name, found, self.given("adv/prob"), 1e-4)
            self.report.relative("adv/loss" + name, loss, fixture["adv/loss"], 1e-4)

    def check_noise(self):
        found = self.with_noise(probabilities(self.alpha))
        self.report.absolute("rs/prob", found, self.given("rs/prob"), 1e-6)

    def with_noise(self, p):
        noise = self.given("rs/noise")
        return [row_clip(rows.detach() + given.to(self.dtype)) for rows, given in zip(p, noise)]

    def check_second_order(self):
        search = self.search()
        search.second_order_gradient(self.train, self.valid)
        found = [rows.grad for rows in search.alpha]
        self.report.relative("unrolled", found, self.given("unrolled/grad_alpha"), 1e-3)
        given = list(self.network.parameters())
        self.report.absolute("unrolled: w restored", search.weights, given, 0.0)

    def check_steps(self):
        search, fixture = self.search(), self.fixture
        search.perturbed = lambda p, _: self.with_noise(p)
        losses = [search.step(self.train, self.valid) for _ in range(STEPS)]
        for which, name in enumerate(("steps/train_loss", "steps/valid_loss")):
            found = [pair[which] for pair in losses]
            self.report.relative(name, found, fixture[name], 1e-4)
        self.report.absolute("steps/alpha", search.alpha, self.given("steps/alpha"), 1e-4)
        expected = self.by_weight("steps/param")
        self.report.relative("steps/param", search.weights, expected, 2e-3)


def case(fixture, dtype, layout):
    """The case of a golden file of either network."""
    if fixture.metadata["kind"] in SEARCHES:
        return SearchCase(fixture, dtype, LAYOUTS[layout])
    return DerivedCase(fixture, dtype, LAYOUTS[layout])


def check_weight_counts():
    """Whether every space has the number of weights that it should have, and runs."""
    passes = True
    counts = [(space, 1, count) for space, count in WEIGHTS.items()] + [("s5", 4, 299_578)]
    for space, partial, expected in counts:
        network = Network(space, channels=16, cells=8, classes=10, partial=partial)
        found = sum(weight.numel() for weight in network.parameters())
        with torch.no_grad():
            logits = network(torch.randn(2, 3, 8, 8), probabilities(network.initial_alpha()))
        good = found == expected and bool(logits.isfinite().all())
        print(f"{space}, one in {partial}: {found} weights (= {expected}){'' if good else '  MISS'}")
        passes &= good
    return passes


def check_golden(folder, device):
    """Whether the golden numbers are met; None if there are none."""
    on_cuda = device == "cuda"
    kinds = SEARCHES if on_cuda else (*SEARCHES, *KINDS)
    dtypes = (torch.float32,) if on_cuda else (torch.float64, torch.float32)
    checked, passes = 0, on_cuda or check_weight_counts()
    for path in sorted(folder.glob("*.safetensors")):
        fixture = Fixture(path, device)
        about = fixture.metadata
        # Weights of edges are not in this program.
        if about.get("kind") not in kinds or about.get("edge_normalisation", "0") != "0":
            continue
        checked += 1
        for dtype in dtypes:
            for layout in LAYOUTS:
                if (fixture.metadata["kind"], dtype, layout) == BROKEN:
                    print(f"{path.name} float32 nhwc: left out, PyTorch 2.15.0 fails in oneDNN")
                    continue
                report = case(fixture, dtype, layout).check()
                report.print(f"{path.name} {str(dtype).removeprefix('torch.')} {layout}")
                passes &= report.passes()
    return passes if checked else None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("SDARTS_FIXTURES", CHECKOUT.parent / "shared" / "fixtures")
    parser.add_argument("--fixtures", type=Path, default=Path(default))
    add_device(parser)
    parser.add_argument("--part", action="append", choices=PARTS, help="repeatable")
    args = parser.parse_args()
    args.part = args.part or (PARTS if args.device == "cuda" else PARTS[:2])
    return args


def main():
    args = arguments()
    # The networks are tiny: more threads would only wait for each other.
    torch.set_num_threads(1)
    set_precision()
    checks = {
        "replay": lambda: check_replay(args.device),
        "golden": lambda: check_golden(args.fixtures, args.device),
        "compile": lambda: check_compiled(args.device),
    }
    results = [check() for part, check in checks.items() if part in args.part]
    if None in results:
        print(f"no golden file of these networks in {args.fixtures}", file=sys.stderr)
        return 2
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
