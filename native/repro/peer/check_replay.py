"""Holds a replayed step, and a compiled one, against the step as written; `check.py` runs it.

Both start from the same state before every step and draw the same random numbers. In float32 rounding
may still decide a branch of a ReLU, which moves moments and α by a hundredth of the largest: there only
losses, weights and running statistics are compared, and all in float64. On CUDA the replayed step is a graph
after its warm-up; on a CPU it only goes through the same buffers, and a step on the device `meta`
shows that it reads no value, which a graph could not.
"""

import copy

import torch

from golden import Report
from network import Network
from replay import WARMUP, Replayed, compile_parts
from step import METHODS, Search, leaves

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
# Space, layout, dtype, lean, methods.
CASES = (
    ("s2", "nchw", torch.float64, False, METHODS),
    ("s5", "nchw", torch.float64, True, ("darts", "sdarts-adv")),
    ("s5", "nhwc", torch.float32, False, ("darts", "sdarts-adv")),
)
COMPILED = ("s2", "nchw", torch.float64, False, ("darts", "sdarts-adv"))
CELLS = 3  # the fewest with cells of both kinds
REPLAYS = 3
BATCH, IMAGE = 8, 16
TOLERANCE = 1e-4  # of the largest value
FORKING = {"alpha", "momentum_buffer", "exp_avg", "exp_avg_sq"}


def search(network, alpha, method, lean):
    return Search(copy.deepcopy(network), leaves(alpha), method, lean=lean)


def state(of):
    """What a step changes: all tensors, by kind."""
    buffers = list(of.network.buffers())
    kinds = {
        "weights": of.weights,
        "alpha": of.alpha,
        "statistics": [buffer for buffer in buffers if buffer.is_floating_point()],
        "counts": [buffer for buffer in buffers if not buffer.is_floating_point()],
    }
    for optimiser in (of.weight_optimiser, of.alpha_optimiser):
        for moments in optimiser.state.values():
            for kind, tensor in moments.items():
                kinds.setdefault(kind, []).append(tensor)
    return kinds


@torch.no_grad()
def set_state(of, source):
    for found, given in zip(state(of).values(), state(source).values()):
        for tensor, value in zip(found, given):
            tensor.copy_(value)


def compare(written, other, step, batches):
    """The report of `step`, which is that of `other` in another way."""
    report = Report()
    for seed, pair in enumerate(batches):
        set_state(written, other)
        torch.manual_seed(seed)
        expected = torch.stack(written.step(*pair))
        torch.manual_seed(seed)
        found = torch.stack(step(*pair))
        kind = "replay" if seed >= WARMUP else "step"
        report.relative(f"{kind} {seed} losses", found, expected, TOLERANCE)
        others = state(other)
        for name, tensors in state(written).items():
            if expected.dtype == torch.float64 or name not in FORKING:
                report.relative(f"{kind} {seed} {name}", others[name], tensors, TOLERANCE)
    return report


def batches(kind, layout, classes):
    """Other images in every step: a graph that read those of its capture would be found out."""
    for _ in range(WARMUP + REPLAYS):
        yield [
            (
                torch.randn(BATCH, 3, IMAGE, IMAGE).to(**kind, memory_format=layout),
                torch.randint(classes, (BATCH,), device=kind["device"]),
            )
            for _ in range(2)
        ]


def check(title, case, device, part=None):
    """Whether the replayed steps of a case equal those as written; `part` is compiled first."""
    space, layout, dtype, lean, methods = case
    kind = {"device": device, "dtype": dtype}
    torch.manual_seed(0)
    network = Network(space, channels=4, cells=CELLS, classes=10)
    alpha = [rows.to(**kind) for rows in network.initial_alpha()]
    network.to(**kind, memory_format=LAYOUTS[layout])
    given = list(batches(kind, LAYOUTS[layout], 10))
    passes = True
    for method in methods:
        written, other = search(network, alpha, method, lean), search(network, alpha, method, lean)
        if part:
            compile_parts(other.network, part)
        report = compare(written, other, Replayed(other.step), given)
        words = [space, layout, str(dtype).removeprefix("torch."), *["lean"] * lean, method]
        report.print(f"{title}: {' '.join(words)}", brief=True)
        passes &= report.passes()
    return passes


def check_replay(device):
    """On a CPU, where only the buffers are new, the first case; and that a graph could hold a step."""
    cases = CASES if device == "cuda" else CASES[:1]
    if device == "cpu":
        check_reads_nothing()
    return all([check("replay", case, device) for case in cases])


def check_reads_nothing():
    """Steps on the device `meta`, whose tensors have no values: it is an error to read one."""
    images = torch.empty(BATCH, 3, IMAGE, IMAGE, device="meta")
    batch = images, torch.empty(BATCH, dtype=torch.long, device="meta")
    network = Network("s2", channels=4, cells=CELLS, classes=10)
    alpha = [rows.to("meta") for rows in network.initial_alpha()]
    for method in METHODS:
        search(network.to("meta"), alpha, method, lean=False).step(batch, batch)
        print(f"reads nothing of the device: {method}: ok")


def check_compiled(device):
    return check("compiled edges, replay", COMPILED, device, "edge")
