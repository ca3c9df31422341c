"""Checks oneshot.py and a step of its search against the golden files of kind oneshot-search.

    python check_oneshot.py ../../../../shared/fixtures
"""

import sys
from pathlib import Path

import torch

from check import SearchCase
from check_replay import LAYOUTS
from golden import Fixture
from oneshot import SPACES, OneShot
from step import probabilities

# Weights with 16 channels and 9 cells.
WEIGHTS = {"oneshot-1": 1_101_402, "oneshot-2": 1_101_402, "oneshot-3": 1_509_594}


class OneShotCase(SearchCase):
    def network_of(self, about):
        space = about["space"].replace("1shot1-s", "oneshot-")
        sizes = (int(about[name]) for name in ("channels", "cells", "classes"))
        network = OneShot(space, *sizes)
        self.names = network.names()
        return network


def check_weight_counts():
    passes = True
    for space in SPACES:
        network = OneShot(space, channels=16, cells=9, classes=10)
        found = sum(weight.numel() for weight in network.parameters())
        with torch.no_grad():
            logits = network(torch.randn(2, 3, 32, 32), probabilities(network.initial_alpha()))
        good = found == WEIGHTS[space] and bool(logits.isfinite().all())
        print(f"{space}: {found} weights (= {WEIGHTS[space]}){'' if good else '  MISS'}")
        passes &= good
    return passes


def main():
    torch.set_num_threads(1)
    checked, passes = 0, check_weight_counts()
    for path in sorted(Path(sys.argv[1]).glob("*.safetensors")):
        fixture = Fixture(path)
        if fixture.metadata.get("kind") != "oneshot-search":
            continue
        checked += 1
        for dtype in (torch.float64, torch.float32):
            for layout in LAYOUTS:
                report = OneShotCase(fixture, dtype, LAYOUTS[layout]).check()
                report.print(f"{path.name} {str(dtype).removeprefix('torch.')} {layout}")
                passes &= report.passes()
    if not checked:
        print(f"no golden file of these networks in {sys.argv[1]}", file=sys.stderr)
        return 2
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
