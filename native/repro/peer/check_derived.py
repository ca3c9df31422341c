"""Holds the derived network and its training against the golden numbers; `check.py` runs it.

The kinds are `cnn-eval` and `cnn-eval-imagenet`, a forward and backward pass and an evaluation, and
`cnn-eval-steps`, five steps with given masks of drop-path.
"""

import copy
import json

import torch

from derived import DerivedNetwork, Training

KINDS = ("cnn-eval", "cnn-eval-steps", "cnn-eval-imagenet")


class DerivedCase:
    """A golden file with the network that it describes."""

    def __init__(self, fixture, dtype, layout, report, starts, rounding):
        self.fixture, self.dtype, self.layout = fixture, dtype, layout
        self.new_report, self.starts, self.rounding = report, starts, rounding
        about = fixture.metadata
        self.kind = about["kind"]
        self.network = DerivedNetwork(
            json.loads(about["genotype"]),
            int(about["channels"]),
            int(about["cells"]),
            int(about["classes"]),
            imagenet=self.kind == "cnn-eval-imagenet",
        ).to(dtype)
        names = {name for name, _ in self.network.named_parameters()}
        if differing := names ^ fixture.under("param/"):
            raise SystemExit(f"weights missing or unknown: {sorted(differing)[:5]} …")
        self.network.to(memory_format=layout)

    def batch(self, suffix=""):
        images = self.fixture[f"x{suffix}"].to(self.dtype)
        return images.to(memory_format=self.layout), self.fixture[f"y{suffix}"]

    def check(self):
        """The report of the first start that passes, else that of the given weights."""
        reports = []
        for start in range(self.starts):
            self.set_start(start)
            self.report = self.new_report()
            self.check_steps() if self.kind == "cnn-eval-steps" else self.check_modes()
            reports.append(self.report)
            if self.report.passes():
                return self.report
        return reports[0]

    @torch.no_grad()
    def set_start(self, start):
        """The given weights, which is start 0, or some that differ from them by rounding."""
        generator = torch.Generator().manual_seed(start)
        for name, weight in self.network.named_parameters():
            given = self.fixture[f"param/{name}"].double()
            noise = torch.randn(given.shape, generator=generator, dtype=given.dtype)
            weight.copy_(given * (1 + self.rounding * noise) if start else given)

    def training(self):
        """A training from the initial state."""
        about = self.fixture.metadata
        return Training(
            copy.deepcopy(self.network),
            smoothing=float(about.get("label_smoothing", 0)),
            drop_path=float(about.get("drop_path_prob", 0)),
        )

    def same(self, what, found, tolerance, name=None):
        self.report.relative(what, found, self.fixture[name or what], tolerance)

    def by_weight(self, what, found, prefix, tolerance):
        """Largest error of a tensor by name; of some a slice is stored."""
        pairs = [
            (value, self.fixture[f"{prefix}/{name}"])
            if f"{prefix}/{name}" in self.fixture.tensors
            else (value[::48, ::16], self.fixture[f"{prefix}_slice/{name}"])
            for name, value in found
        ]
        values, expected = zip(*pairs)
        self.report.relative(what, list(values), list(expected), tolerance)

    def statistics(self, network, prefix):
        for kind in ("running_mean", "running_var"):
            buffers = {n: b for n, b in network.named_buffers() if n.endswith(kind)}
            expected = [self.fixture[f"{prefix}/{name}"] for name in buffers]
            self.report.relative(kind, list(buffers.values()), expected, 1e-3)

    def check_modes(self):
        tolerance = 3e-4 if self.kind == "cnn-eval-imagenet" else 1e-4
        training, (images, labels) = self.training(), self.batch()
        logits, auxiliary, loss = training.gradient(images, labels)
        self.same("train/logits", logits, tolerance)
        self.same("train/logits_aux", auxiliary, tolerance)
        self.same("train/loss", loss, tolerance)
        gradients = [(name, weight.grad) for name, weight in training.network.named_parameters()]
        self.by_weight("train/grad", gradients, "train/grad", 1e-3)
        self.statistics(training.network, "train")
        logits, _ = training.evaluate(images, labels)
        self.same("eval/logits", logits, tolerance)

    def check_steps(self):
        training, losses = self.training(), []
        for step in range(int(self.fixture.metadata["steps"])):
            masks = iter(self.fixture[f"drop_mask/{step}"])
            losses.append(training.step(*self.batch(f"/{step % 2}"), masks)[0])
            if next(masks, None) is not None:
                raise SystemExit("masks of drop-path were left over")
        self.same("steps/loss", torch.tensor(losses), 1e-4)
        self.by_weight("steps/param", training.network.named_parameters(), "steps/param", 2e-3)
        self.statistics(training.network, "steps")
        logits, _ = training.evaluate(*self.batch("/0"))
        self.same("eval/logits", logits, 2e-3)
