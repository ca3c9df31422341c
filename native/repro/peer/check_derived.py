"""Holds the derived network and its training against the golden numbers; `check.py` runs it.

The kinds are `cnn-eval` and `cnn-eval-imagenet`, a forward and backward pass and an evaluation, and
`cnn-eval-steps`, five steps with given masks of drop-path.
"""

import copy
import json

import torch

from derived import DerivedNetwork, Training
from golden import Case

KINDS = ("cnn-eval", "cnn-eval-steps", "cnn-eval-imagenet")


class DerivedCase(Case):
    """A golden file with the network that it describes."""

    def __init__(self, fixture, dtype, layout):
        about = fixture.metadata
        self.dtype, self.layout, self.kind = dtype, layout, about["kind"]
        network = DerivedNetwork(
            json.loads(about["genotype"]),
            int(about["channels"]),
            int(about["cells"]),
            int(about["classes"]),
            imagenet=self.kind == "cnn-eval-imagenet",
        ).to(fixture.device, dtype)
        super().__init__(fixture, network, layout)

    def batch(self, suffix=""):
        images = self.fixture[f"x{suffix}"].to(self.dtype)
        return images.to(memory_format=self.layout), self.fixture[f"y{suffix}"]

    def check(self):
        steps = self.kind == "cnn-eval-steps"
        return self.from_any_start(self.check_steps if steps else self.check_modes)

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
