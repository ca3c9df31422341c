"""Golden files, errors beside their tolerances, and what all checks against them share."""

import torch
from safetensors import safe_open

CELLS = ("normal", "reduce")
# An attack moves an entry by a whole step where rounding decides a sign: one entry in 50 may.
ENTRIES_OFF = 0.02
# Starts tried in float32, and how far they lie from the given one, in standard deviations relative
# to each weight: about two units in the last place.
STARTS = 12
ROUNDING = 3e-7


class Fixture:
    """A golden file, its tensors on a device."""

    def __init__(self, path, device="cpu"):
        self.device = device
        with safe_open(path, framework="pt", device=device) as file:
            self.metadata = file.metadata()
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}

    def __getitem__(self, name):
        return self.tensors[name]

    def under(self, prefix):
        """The names after this prefix."""
        return {n.removeprefix(prefix) for n in self.tensors if n.startswith(prefix)}


class Report:
    """Errors and tolerances of all quantities."""

    def __init__(self):
        self.rows = []

    def add(self, what, error, tolerance):
        # A NaN is a miss as well.
        self.rows.append((what, error, tolerance, error <= tolerance))

    def relative(self, what, found, expected, tolerance):
        """Largest difference, relative to the largest magnitude expected."""
        found, expected = flat(found), flat(expected)
        error = (found - expected).abs().max() / expected.abs().max()
        self.add(what, error.item(), tolerance)

    def absolute(self, what, found, expected, tolerance):
        self.add(what, (flat(found) - flat(expected)).abs().max().item(), tolerance)

    def share(self, what, found, expected, tolerance):
        """Share of the entries that differ by more than the tolerance."""
        differs = ~((flat(found) - flat(expected)).abs() <= tolerance)
        self.add(what, differs.double().mean().item(), ENTRIES_OFF)

    def passes(self):
        return all(passes for *_, passes in self.rows)

    def print(self, title, brief=False):
        """Every error, or in brief the one that is nearest to its tolerance, and misses."""
        print(f"{title}: {'ok' if self.passes() else 'MISS'}")
        rows = self.rows
        if brief:
            worst = max(rows, key=lambda row: row[1] / row[2])
            rows = [row for row in rows if not row[3]] or [worst]
        for what, error, tolerance, passes in rows:
            print(f"  {what:<22}{error:9.1e}  (≤ {tolerance:g}){'' if passes else '  MISS'}")


def flat(tensors):
    tensors = [tensors] if isinstance(tensors, torch.Tensor) else tensors
    return torch.cat([torch.as_tensor(t).detach().double().flatten() for t in tensors])


class Case:
    """A golden file with a network of its weights."""

    def __init__(self, fixture, network, layout):
        self.fixture, self.report = fixture, Report()
        self.network = network
        self.starts = STARTS if next(network.parameters()).dtype == torch.float32 else 1
        names = {name for name, _ in network.named_parameters()}
        if differing := names ^ fixture.under("param/"):
            raise SystemExit(f"weights missing or unknown: {sorted(differing)[:5]} …")
        network.to(memory_format=layout)

    def from_any_start(self, check):
        """The report of the first start that passes, else that of the given weights."""
        reports = []
        for start in range(self.starts):
            self.report = Report()
            self.set_start(start)
            check()
            reports.append(self.report)
            if self.report.passes():
                return self.report
        return reports[0]

    @torch.no_grad()
    def set_start(self, start):
        """Sets the given weights, which is start 0, or some that differ from them by rounding."""
        generator = torch.Generator().manual_seed(start)
        for name, weight in self.network.named_parameters():
            given = self.fixture[f"param/{name}"].double()
            noise = torch.randn(given.shape, generator=generator, dtype=given.dtype).to(given)
            weight.copy_(given * (1 + ROUNDING * noise) if start else given)
