"""The supernet of the DARTS cell spaces in plain PyTorch.

A candidate is a module, an edge runs all of its candidates one after the other and adds them up:
what one writes down from the paper without a thought for speed. Modules are named as in the
published code, so that its weights load as they are. Sections refer to the project's
specification of the algorithm: operations 1.1, cell 1.2, macro structure 1.3, spaces 6.
"""

import torch
from torch import nn

NODES = 4  # intermediate nodes of a cell
EDGES = 14  # node i receives states 0..i+1: 2 + 3 + 4 + 5


class SepConv(nn.Module):
    """Twice ReLU, depthwise, pointwise, BN; only the first depthwise is strided."""

    def __init__(self, channels, kernel, stride):
        super().__init__()
        self.op = nn.Sequential(
            *depthwise_unit(channels, kernel, stride, kernel // 2, 1),
            *depthwise_unit(channels, kernel, 1, kernel // 2, 1),
        )

    def forward(self, x):
        return self.op(x)


class DilConv(nn.Module):
    """ReLU, depthwise of dilation 2, pointwise, BN."""

    def __init__(self, channels, kernel, stride):
        super().__init__()
        self.op = nn.Sequential(*depthwise_unit(channels, kernel, stride, kernel - 1, 2))

    def forward(self, x):
        return self.op(x)


def depthwise_unit(channels, kernel, stride, padding, dilation):
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=False),
    ]


class ReLUConvBN(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, affine=False),
        )

    def forward(self, x):
        return self.op(x)


class FactorizedReduce(nn.Module):
    """Halves the resolution with two pointwise convolutions, the second one pixel further."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, affine=False)

    def forward(self, x):
        x = self.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, :: self.stride, :: self.stride] * 0


class Noise(nn.Module):
    """Standard normal noise of the strided shape: no gradient reaches the input."""

    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return torch.randn_like(x[:, :, :: self.stride, :: self.stride], requires_grad=False)


def pooled(pool, channels):
    return nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False))


def skip(channels, stride):
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)


# Name to constructor by (channels, stride).
OPERATIONS = {
    "none": lambda c, s: Zero(s),
    "noise": lambda c, s: Noise(s),
    "max_pool_3x3": lambda c, s: pooled(nn.MaxPool2d(3, s, 1), c),
    "avg_pool_3x3": lambda c, s: pooled(nn.AvgPool2d(3, s, 1, count_include_pad=False), c),
    "skip_connect": skip,
    "sep_conv_3x3": lambda c, s: SepConv(c, 3, s),
    "sep_conv_5x5": lambda c, s: SepConv(c, 5, s),
    "dil_conv_3x3": lambda c, s: DilConv(c, 3, s),
    "dil_conv_5x5": lambda c, s: DilConv(c, 5, s),
}

STANDARD = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
ABBREVIATIONS = {
    "max": "max_pool_3x3",
    "avg": "avg_pool_3x3",
    "skip": "skip_connect",
    "sep3": "sep_conv_3x3",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
}
# The two candidates of every edge of S1.
S1_NORMAL = """
    skip-dil3 skip-dil5
    skip-dil5 skip-sep3 skip-dil3
    max-skip  skip-sep3 skip-sep3 skip-dil3
    skip-sep3 max-skip  skip-dil3 dil3-dil5 dil3-dil5
"""
S1_REDUCE = """
    max-avg max-dil3
    max-avg max-avg  skip-dil5
    max-avg max-sep3 skip-dil3 skip-dil5
    max-avg max-avg  skip-dil5 skip-dil5 skip-dil5
"""


def edges(table):
    return [tuple(ABBREVIATIONS[op] for op in pair.split("-")) for pair in table.split()]


def everywhere(*candidates):
    return [candidates] * EDGES, [candidates] * EDGES


# Candidates of the 14 edges of the normal and of the reduction cell.
SPACES = {
    "darts": everywhere("none", *STANDARD),
    "s1": (edges(S1_NORMAL), edges(S1_REDUCE)),
    "s2": everywhere("skip_connect", "sep_conv_3x3"),
    "s3": everywhere("none", "skip_connect", "sep_conv_3x3"),
    "s4": everywhere("noise", "sep_conv_3x3"),
    "s5": everywhere(*STANDARD),
}


class MixedOp(nn.Module):
    """One edge: the candidates weighted by a row of p.

    One in `partial` channels goes through them, the others past them (PC-DARTS, 8.2).
    """

    def __init__(self, candidates, channels, stride, partial=1):
        super().__init__()
        self.partial, self.stride = partial, stride
        self._ops = nn.ModuleList(
            OPERATIONS[name](channels // partial, stride) for name in candidates
        )

    def forward(self, x, p):
        if self.partial == 1:
            return self.mixed(x, p)
        through = x.shape[1] // self.partial
        past = x[:, through:]
        if self.stride == 2:
            past = nn.functional.max_pool2d(past, 2, 2)
        return shuffled(torch.cat([self.mixed(x[:, :through], p), past], dim=1), self.partial)

    def mixed(self, x, p):
        return sum(weight * op(x) for weight, op in zip(p, self._ops))


def shuffled(x, groups):
    """Channel i of every group, then channel i + 1 of every one."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


class Cell(nn.Module):
    def __init__(
        self, candidates, before_last, last, channels, reduction, after_reduction, partial
    ):
        super().__init__()
        self.reduction = reduction
        preprocess0 = FactorizedReduce if after_reduction else ReLUConvBN
        self.preprocess0 = preprocess0(before_last, channels)
        self.preprocess1 = ReLUConvBN(last, channels)
        sources = [source for node in range(NODES) for source in range(2 + node)]
        strides = [2 if reduction and source < 2 else 1 for source in sources]
        self._ops = nn.ModuleList(
            MixedOp(names, channels, stride, partial)
            for names, stride in zip(candidates, strides)
        )

    def forward(self, s0, s1, p):
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        edge = 0
        for _ in range(NODES):
            node = sum(self._ops[edge + j](x, p[edge + j]) for j, x in enumerate(states))
            edge += len(states)
            states.append(node)
        return torch.cat(states[2:], dim=1)


class Network(nn.Module):
    """Images [batch, 3, height, width] and p = (normal, reduce), each [14, candidates], to logits."""

    def __init__(self, space, channels, cells, classes, partial=1):
        super().__init__()
        self.candidates = SPACES[space]
        width = 3 * channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.cells = nn.ModuleList()
        before_last, last, after_reduction = width, width, False
        for index in range(cells):
            reduction = index in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduction else 1
            self.cells.append(
                Cell(
                    self.candidates[reduction],
                    before_last,
                    last,
                    channels,
                    reduction,
                    after_reduction,
                    partial,
                )
            )
            before_last, last, after_reduction = last, NODES * channels, reduction
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, classes)

    def initial_alpha(self):
        """Raw logits of the normal and of the reduction cell: 1e-3 times standard normal."""
        return [
            (1e-3 * torch.randn(EDGES, len(rows[0]))).requires_grad_() for rows in self.candidates
        ]

    def forward(self, x, p):
        s0 = s1 = self.stem(x)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, p[cell.reduction])
        return self.classifier(self.global_pooling(s1).flatten(1))
