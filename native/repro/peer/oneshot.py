"""The one-shot network of NAS-Bench-1Shot1 in plain PyTorch.

Written down as network.py is: a module for every candidate, every block runs all of them one after
the other and adds them up. Modules are named as in the published code, so that its weights load as
they are. Sections refer to the project's specification of the algorithm: spaces 7.1, network 7.3.
"""

import torch
from torch import nn

from network import ReLUConvBN

# Choice blocks of a space, and the first of them that weighs what it reads (blocks count from 1).
SPACES = {"oneshot-1": (4, 3), "oneshot-2": (4, 2), "oneshot-3": (5, 2)}
CANDIDATES = 3
# As PyTorch counts it: the running statistics are almost those of the last batch.
NORM_MOMENTUM = 0.997


class ConvBnRelu(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.op = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.op(x)


class Convolution(nn.Module):
    """A candidate; the module around it gives its weights their names."""

    def __init__(self, channels, kernel):
        super().__init__()
        self.op = ConvBnRelu(channels, channels, kernel)

    def forward(self, x):
        return self.op(x)


class MixedOp(nn.Module):
    """All candidates, weighted by a row of p. No batch norm follows the pooling."""

    def __init__(self, channels):
        super().__init__()
        self._ops = nn.ModuleList(
            [nn.MaxPool2d(3, 1, 1), Convolution(channels, 3), Convolution(channels, 1)]
        )

    def forward(self, x, p):
        return sum(weight * op(x) for weight, op in zip(p, self._ops))


class ChoiceBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.mixed_op = MixedOp(channels)

    def forward(self, inputs, weights, p):
        if weights is None:
            return self.mixed_op(sum(inputs), p)
        return self.mixed_op(sum(weight * x for weight, x in zip(weights, inputs)), p)


class Cell(nn.Module):
    """Every block has a projection of the cell's input, and the output has one."""

    def __init__(self, inputs, channels, blocks):
        super().__init__()
        widths = [channels] * blocks + [channels * blocks]
        self._input_projections = nn.ModuleList(ConvBnRelu(inputs, width, 1) for width in widths)
        self._choice_blocks = nn.ModuleList(ChoiceBlock(channels) for _ in range(blocks))

    def forward(self, s0, operations, output, inputs):
        """operations [blocks, candidates], output [blocks + 1], inputs: a row or None for each block."""
        found = []
        for block, projection, weights, p in zip(
            self._choice_blocks, self._input_projections, inputs, operations
        ):
            found.append(block([projection(s0), *found], weights, p))
        blocks = torch.cat([weight * x for weight, x in zip(output[1:], found)], dim=1)
        return output[0] * self._input_projections[-1](s0) + blocks


class OneShot(nn.Module):
    """Images [batch, 3, height, width] and p, in the order of `names`, to logits."""

    def __init__(self, space, channels, cells, classes):
        super().__init__()
        self.blocks, self.first_weighted = SPACES[space]
        self.stem = ConvBnRelu(3, channels, 3)
        self.pool = nn.MaxPool2d(2, 2, 1)
        self.cells = nn.ModuleList()
        self.reductions = (cells // 3, 2 * cells // 3)
        width = channels
        for index in range(cells):
            channels *= 2 if index in self.reductions else 1
            self.cells.append(Cell(width, channels, self.blocks))
            width = channels * self.blocks
        self.postprocess = ReLUConvBN(width, channels)
        self.classifier = nn.Linear(channels, classes)

    def names(self):
        """The matrices of α: operations, outputs, and inputs of the blocks that weigh them."""
        blocks = range(self.first_weighted, self.blocks + 1)
        return ["mixed_op", "output", *(f"input_{block}" for block in blocks)]

    def initial_alpha(self):
        """Raw logits: 1e-3 times standard normal."""
        inputs = range(self.first_weighted, self.blocks + 1)
        shapes = [(self.blocks, CANDIDATES), (1, self.blocks + 1), *((1, k) for k in inputs)]
        return [(1e-3 * torch.randn(shape)).requires_grad_() for shape in shapes]

    def forward(self, x, p):
        operations, output, *weights = p
        inputs = [None] * (self.first_weighted - 1) + [row[0] for row in weights]
        x = self.stem(x)
        for index, cell in enumerate(self.cells):
            if index in self.reductions:
                x = self.pool(x)
            x = cell(x, operations, output[0], inputs)
        return self.classifier(self.postprocess(x).mean(dim=(2, 3)))
