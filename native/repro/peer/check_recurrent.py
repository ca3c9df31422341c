"""Checks recurrent.py against the golden files of kind rnn-search-steps and rnn-eval-steps.

    python check_recurrent.py ../../../../shared/fixtures
"""

import json
import sys
from pathlib import Path

import torch

from golden import Fixture, Report
from recurrent import DerivedCell, Descent, Language, Search, SearchCell, nll

NO_DROPOUT = {"output": 0, "hidden": 0, "x": 0, "embedded": 0, "word": 0}


def model_of(fixture, cell):
    model = Language(int(fixture.metadata["vocabulary"]), cell, **NO_DROPOUT)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(fixture[f"param/{name}"])
    return model


def compare_weights(report, fixture, prefix, model, tolerance):
    for name, weight in model.named_parameters():
        report.relative(f"{prefix}/{name}", weight, fixture[f"{prefix}/{name}"], tolerance)


def check_search(fixture):
    report, meta = Report(), fixture.metadata
    model = model_of(fixture, SearchCell(int(meta["hidden_size"])))
    alpha = fixture["alpha/cell"].clone().requires_grad_()
    search = Search(model, alpha, "sdarts-rs", float(meta["learning_rate"]))
    h, h_valid = fixture["hidden"][0], fixture["hidden_valid"][0]
    losses = []
    for step in range(int(meta["steps"])):
        train = fixture[f"steps/x/{step}"], fixture[f"steps/y/{step}"]
        valid = fixture[f"steps/x_valid/{step}"], fixture[f"steps/y_valid/{step}"]
        noise = fixture[f"steps/noise/{step}"]
        valid_loss, h_valid, (found, loss, norm, h) = search.step(train, valid, h, h_valid, noise)
        losses.append(torch.stack([valid_loss, found, loss, norm]))
    losses = torch.stack(losses, dim=1)
    for row, name in enumerate(("valid_loss", "train_nll", "train_loss", "grad_norm")):
        tolerance = 2e-3 if name == "grad_norm" else 1e-4
        report.relative(f"steps/{name}", losses[row], fixture[f"steps/{name}"], tolerance)
    report.relative("steps/hidden", h, fixture["steps/hidden"][0], 2e-3)
    report.relative("steps/hidden_valid", h_valid, fixture["steps/hidden_valid"][0], 2e-3)
    report.absolute("steps/alpha", alpha, fixture["steps/alpha/cell"], 1e-4)
    bn = model.rnns[0].bn
    report.relative("running_mean", bn.running_mean, fixture["steps/rnns.0.bn.running_mean"], 1e-3)
    report.relative("running_var", bn.running_var, fixture["steps/rnns.0.bn.running_var"], 1e-3)
    compare_weights(report, fixture, "steps/param", model, 2e-3)
    return report


def check_attack(fixture):
    """After one forward pass in train mode, whose statistics the attack uses."""
    report, meta = Report(), fixture.metadata
    model = model_of(fixture, SearchCell(int(meta["hidden_size"])))
    h, batch = fixture["hidden"][0], (fixture["x"], fixture["y"])
    p = fixture["alpha/cell"].softmax(dim=-1)
    loss = nll(model(batch[0], h, p)[0], batch[1])
    report.relative("valid/loss", loss, fixture["valid/loss"], 1e-4)
    alpha = fixture["alpha/cell"].clone().requires_grad_()
    search = Search(model, alpha, "sdarts-adv", epsilon=float(meta["epsilon"]))
    found = search.attack(p, batch, h, random_start=False)
    report.share("adv/prob", found, fixture["adv/prob/cell"], 1e-4)
    model.eval()
    report.relative("eval/loss", nll(model(batch[0], h, p)[0], batch[1]), fixture["eval/loss"], 1e-4)
    report.relative("adv/loss", nll(model(batch[0], h, found)[0], batch[1]), fixture["adv/loss"], 1e-4)
    return report


def check_training(fixture):
    report, meta = Report(), fixture.metadata
    genotype = json.loads(meta["genotype"])
    model = model_of(fixture, DerivedCell(int(meta["hidden_size"]), genotype["recurrent"]))
    descent = Descent(model, float(meta["learning_rate"]), float(meta["weight_decay"]))
    h, found = fixture["hidden"][0], []
    for step in range(int(meta["sgd_steps"])):
        masks = dict.fromkeys(("x", "h", "embedding", "output", "word"))
        for name in masks:
            if f"mask/{name}/{step}" in fixture.tensors:
                masks[name] = fixture[f"mask/{name}/{step}"]
        x, y = fixture[f"x/{step}"], fixture[f"y/{step}"]
        *numbers, h = descent.step(x, y, h, masks=masks)
        found.append(torch.stack(numbers))
    found = torch.stack(found, dim=1)
    for row, name in enumerate(("nll", "loss", "grad_norm")):
        report.relative(f"steps/{name}", found[row], fixture[f"steps/{name}"][: len(found[row])], 1e-4)
    report.relative("sgd/hidden", h, fixture["sgd/hidden"][0], 1e-4)
    compare_weights(report, fixture, "sgd/param", model, 1e-4)
    return report


def main():
    torch.set_default_dtype(torch.float32)
    passes = True
    for path in sorted(Path(sys.argv[1]).glob("rnn-*.safetensors")):
        fixture = Fixture(path)
        kind = fixture.metadata["kind"]
        if kind == "rnn-search-steps":
            reports = [("steps", check_search(fixture)), ("attack", check_attack(fixture))]
        elif kind == "rnn-eval-steps" and float(fixture.metadata["activation_regularisation"]) == 0:
            reports = [("training", check_training(fixture))]
        else:
            continue
        for title, report in reports:
            report.print(f"{path.name}, {title}")
            passes &= report.passes()
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
