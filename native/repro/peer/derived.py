"""The network that is trained from a genotype, in plain PyTorch, and a step of its training.

Every edge is a module of the one operation that was found, every node adds up two of them. Modules are
named as in the published code, so that its weights load as they are. Sections refer to the project's
specification of the algorithm: the network of CIFAR and its training 9.1, that of ImageNet 9.2.
"""

import torch
from torch import nn

from network import OPERATIONS, FactorizedReduce, ReLUConvBN

# Channels after the convolutions of the auxiliary head.
HEAD = (128, 768)
# The authors' result of SDARTS-ADV on CIFAR-10: operation and input state of every edge.
C10_S5_PGD = {
    "normal": [
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("sep_conv_5x5", 0),
        ("dil_conv_3x3", 3),
        ("dil_conv_3x3", 4),
        ("skip_connect", 0),
    ],
    "normal_concat": [2, 3, 4, 5],
    "reduce": [
        ("max_pool_3x3", 0),
        ("sep_conv_5x5", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 0),
        ("skip_connect", 3),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("sep_conv_5x5", 4),
    ],
    "reduce_concat": [2, 3, 4, 5],
}


def affine(module):
    """The module with affine batch norms, which only a supernet is without."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.BatchNorm2d(child.num_features))
        else:
            affine(child)
    return module


def operation(name, channels, stride):
    """Without the batch norm that follows pooling in a supernet."""
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    return affine(OPERATIONS[name](channels, stride))


def dropped(x, probability, masks):
    """Drop-path: takes whole images out, and scales the others so that the mean stays."""
    keep = 1.0 - probability
    if masks is None:
        mask = torch.empty(len(x), 1, 1, 1, dtype=x.dtype).bernoulli_(keep)
    else:
        mask = next(masks).to(x.dtype).view(-1, 1, 1, 1)
    return x / keep * mask


class Cell(nn.Module):
    def __init__(self, edges, concat, before_last, last, channels, reduction, after_reduction):
        super().__init__()
        before = FactorizedReduce if after_reduction else ReLUConvBN
        self.preprocess0 = affine(before(before_last, channels))
        self.preprocess1 = affine(ReLUConvBN(last, channels))
        self.sources, self.concat = [source for _, source in edges], concat
        self._ops = nn.ModuleList(
            operation(name, channels, 2 if reduction and source < 2 else 1)
            for name, source in edges
        )

    def forward(self, s0, s1, drop_path, masks):
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for first in range(0, len(self._ops), 2):
            both = []
            for edge in (first, first + 1):
                op, x = self._ops[edge], states[self.sources[edge]]
                y = op(x)
                if self.training and drop_path > 0 and not isinstance(op, nn.Identity):
                    y = dropped(y, drop_path, masks)
                both.append(y)
            states.append(both[0] + both[1])
        return torch.cat([states[index] for index in self.concat], dim=1)


class AuxiliaryHead(nn.Module):
    """The second classifier, after the cell at 2/3. For ImageNet its second batch norm is left out."""

    def __init__(self, inputs, classes, imagenet):
        super().__init__()
        narrow, wide = HEAD
        self.features = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.AvgPool2d(5, stride=2 if imagenet else 3, padding=0, count_include_pad=False),
            nn.Conv2d(inputs, narrow, 1, bias=False),
            nn.BatchNorm2d(narrow),
            nn.ReLU(inplace=True),
            nn.Conv2d(narrow, wide, 2, bias=False),
            *([] if imagenet else [nn.BatchNorm2d(wide)]),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(wide, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class DerivedNetwork(nn.Module):
    """Images [batch, 3, height, width] to logits, and in train mode those of the auxiliary head."""

    def __init__(self, genotype, channels, cells, classes, imagenet=False):
        super().__init__()
        self.imagenet = imagenet
        width = self.build_stem(channels)
        self.cells = nn.ModuleList()
        before_last, last, after_reduction = width, width, imagenet
        for index in range(cells):
            reduction = index in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduction else 1
            kind = "reduce" if reduction else "normal"
            edges, concat = genotype[kind], genotype[f"{kind}_concat"]
            cell = Cell(edges, concat, before_last, last, channels, reduction, after_reduction)
            self.cells.append(cell)
            before_last, last, after_reduction = last, len(concat) * channels, reduction
            if index == 2 * cells // 3:
                self.auxiliary_head = AuxiliaryHead(last, classes, imagenet)
        self.place = 2 * cells // 3
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, classes)

    def build_stem(self, channels):
        """Channels of the first inputs."""
        if not self.imagenet:
            width = 3 * channels
            self.stem = nn.Sequential(
                nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
            )
            return width
        half = channels // 2
        self.stem0 = nn.Sequential(
            nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.stem1 = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        return channels

    def forward(self, x, drop_path=0.0, masks=None):
        if self.imagenet:
            s0 = self.stem0(x)
            s1 = self.stem1(s0)
        else:
            s0 = s1 = self.stem(x)
        auxiliary = None
        for index, cell in enumerate(self.cells):
            s0, s1 = s1, cell(s0, s1, drop_path, masks)
            if index == self.place and self.training:
                auxiliary = self.auxiliary_head(s1)
        return self.classifier(self.global_pooling(s1).flatten(1)), auxiliary


class Training:
    """SGD on the network, with the auxiliary loss and the clip of the authors."""

    def __init__(self, network, learning_rate=0.025, smoothing=0.0, drop_path=0.0, **options):
        self.network, self.drop_path = network, drop_path
        self.auxiliary_weight = options.get("auxiliary_weight", 0.4)
        self.clip = options.get("clip", 5.0)
        self.loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
        self.optimiser = torch.optim.SGD(
            network.parameters(),
            learning_rate,
            momentum=options.get("momentum", 0.9),
            weight_decay=options.get("weight_decay", 3e-4),
        )

    def gradient(self, images, labels, masks=None):
        """Logits, those of the head, and the loss, after a backward pass."""
        self.network.train()
        self.optimiser.zero_grad()
        logits, auxiliary = self.network(images, self.drop_path, masks)
        loss = self.loss(logits, labels) + self.auxiliary_weight * self.loss(auxiliary, labels)
        loss.backward()
        return logits, auxiliary, loss

    def step(self, images, labels, masks=None):
        """Loss, and norm of the gradient before the clip."""
        _, _, loss = self.gradient(images, labels, masks)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimiser.step()
        return loss.item(), norm

    @torch.no_grad()
    def evaluate(self, images, labels):
        """Logits and loss in eval mode."""
        self.network.eval()
        logits, _ = self.network(images)
        return logits, nn.functional.cross_entropy(logits, labels)
