"""Recurrent networks of a text as a person writes them in PyTorch: the search cell, the cell of a
genotype, and what is around them; and a step of a search and of a training.

Sections refer to the project's specification: the network and its settings are section 10.
"""

import torch
from torch import nn
from torch.nn import functional

from step import ATTACK_STEPS, leaves, row_clip

INIT = 0.04
ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda z: z,
}
NODES = 8
# penn_pgd, which SDARTS-ADV found.
PENN_PGD = (
    ("relu", 0), ("relu", 1), ("tanh", 2), ("relu", 3),
    ("identity", 2), ("relu", 1), ("tanh", 2), ("relu", 7),
)  # fmt: skip


def uniform(*shape):
    return nn.Parameter(torch.empty(*shape).uniform_(-INIT, INIT))


def locked(shape, share, like):
    """A mask that is the same in all rows of a text, or nothing."""
    if not share:
        return None
    return torch.empty(shape, device=like.device).bernoulli_(1 - share) / (1 - share)


def masked(x, mask):
    return x if mask is None else x * mask


class Cell(nn.Module):
    def __init__(self, hidden, nodes):
        super().__init__()
        self.hidden = hidden
        self._W0 = uniform(2 * hidden, 2 * hidden)
        self._Ws = nn.ParameterList([uniform(hidden, 2 * hidden) for _ in range(nodes)])

    def first_state(self, x, h, mask):
        c, z = (torch.cat([x, masked(h, mask)], dim=-1) @ self._W0).chunk(2, dim=-1)
        return h + c.sigmoid() * (z.tanh() - h)


class SearchCell(Cell):
    """Every node weighs what all activations make of all states before it."""

    def __init__(self, hidden):
        super().__init__(hidden, NODES)
        self.bn = nn.BatchNorm1d(hidden, affine=False)

    def forward(self, x, h, mask, p):
        s = self.bn(self.first_state(x, h, mask))
        states, offset = s.unsqueeze(0), 0
        for node, weight in enumerate(self._Ws):
            read = masked(states, mask).flatten(0, 1)
            c, z = (read @ weight).view(node + 1, -1, 2 * self.hidden).chunk(2, dim=-1)
            c, s = c.sigmoid(), 0
            rows = p[offset : offset + node + 1]
            for k, activation in enumerate(ACTIVATIONS.values(), start=1):
                given = states + c * (activation(z) - states)
                s = s + (rows[:, k].view(-1, 1, 1) * given).sum(dim=0)
            states = torch.cat([states, self.bn(s).unsqueeze(0)])
            offset += node + 1
        return states[1:].mean(dim=0)


class DerivedCell(Cell):
    def __init__(self, hidden, genotype=PENN_PGD):
        super().__init__(hidden, len(genotype))
        self.genotype = genotype

    def forward(self, x, h, mask, _):
        states = [self.first_state(x, h, mask)]
        for (name, state), weight in zip(self.genotype, self._Ws):
            s = states[state]
            c, z = (masked(s, mask) @ weight).chunk(2, dim=-1)
            states.append(s + c.sigmoid() * (ACTIVATIONS[name](z) - s))
        return torch.stack(states[1:]).mean(dim=0)


class Language(nn.Module):
    """Embedding, which is the decoder too, a cell, and the dropouts, each with its share."""

    def __init__(self, vocabulary, cell, output=0.75, hidden=0.25, x=0.75, embedded=0.2, word=0.0):
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, cell.hidden)
        self.encoder.weight.data.uniform_(-INIT, INIT)
        self.rnns = nn.ModuleList([cell])
        self.decoder = nn.Linear(cell.hidden, vocabulary)
        self.decoder.weight = self.encoder.weight
        self.decoder.bias.data.zero_()
        self.shares = {"output": output, "h": hidden, "x": x, "embedding": embedded, "word": word}

    def masks(self, batch):
        weight = self.encoder.weight
        shapes = {name: (batch, weight.shape[1]) for name in self.shares}
        shapes["word"] = (weight.shape[0], 1)
        drop = self.training
        return {n: locked(shapes[n], drop * s, weight) for n, s in self.shares.items()}

    def forward(self, words, h, p=None, masks=None):
        """Logits, outputs, the same after dropout, and the last hidden state."""
        masks = masks or self.masks(words.shape[1])
        # The published code asks for padding_idx -1: the last word learns nothing from being read.
        table = masked(self.encoder.weight, masks["word"])
        x = functional.embedding(words, table, padding_idx=-1)
        x = masked(masked(x, masks["embedding"]), masks["x"])
        outputs = []
        for row in x:
            h = self.rnns[0](row, h, masks["h"], p)
            outputs.append(h)
        outputs = torch.stack(outputs)
        dropped = masked(outputs, masks["output"])
        return self.decoder(dropped), outputs, dropped, h


def nll(logits, targets):
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Descent:
    """What both programs do to weights: NLL + TAR, clipped, with the rate of the text's length."""

    def __init__(self, model, rate, decay, tar=1e-3, clip=0.25, bptt=35):
        self.model, self.rate, self.tar, self.clip, self.bptt = model, rate, tar, clip, bptt
        self.weights = list(model.parameters())
        self.optimiser = torch.optim.SGD(self.weights, rate, weight_decay=decay)

    def step(self, words, targets, h, p=None, masks=None):
        """NLL, the whole loss, the norm before clipping, and the last hidden state."""
        logits, outputs, _, h = self.model(words, h, p, masks)
        found = nll(logits, targets)
        loss = found + self.tar * (outputs[1:] - outputs[:-1]).pow(2).mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.optimiser.param_groups[0]["lr"] = self.rate * len(words) / self.bptt
        self.optimiser.step()
        self.optimiser.zero_grad()
        return found.detach(), loss.detach(), norm, h.detach()


class Search:
    """A search of recurrent cells. `lean` leaves out the gradients of weights that the α-step and the
    attack of the published code compute and drop."""

    def __init__(self, model, alpha, method, rate=20.0, epsilon=0.03, lean=False):
        self.model, self.alpha, self.method = model, alpha, method
        self.epsilon, self.lean = epsilon, lean
        self.descent = Descent(model, rate, 5e-7)
        self.optimiser = torch.optim.Adam([alpha], 3e-3, weight_decay=1e-3)

    def step(self, train, valid, h, h_valid, noise=None):
        self.model.train()
        valid_loss, h_valid = self.alpha_step(valid, h_valid)
        with torch.no_grad():
            p = self.alpha.softmax(dim=-1)
        p = self.perturbed(p, train, h, noise)
        return valid_loss, h_valid, self.descent.step(*train, h, p)

    def require_weight_gradients(self, required):
        for weight in self.descent.weights:
            weight.requires_grad_(required)

    def alpha_step(self, valid, h):
        self.require_weight_gradients(not self.lean)
        logits, *_, h = self.model(valid[0], h, self.alpha.softmax(dim=-1))
        loss = nll(logits, valid[1])
        loss.backward()
        self.require_weight_gradients(True)
        self.model.zero_grad()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss.detach(), h.detach()

    def perturbed(self, p, train, h, noise=None):
        if self.method == "sdarts-rs":
            if noise is None:
                noise = torch.empty_like(p).uniform_(-self.epsilon, self.epsilon)
            return row_clip(p + noise)
        return self.attack(p, train, h) if self.method == "sdarts-adv" else p

    def attack(self, p, train, h, random_start=True):
        """Ascends the training loss within epsilon of p by sign gradients, in eval mode."""
        self.model.eval()
        start = p + torch.empty_like(p).uniform_(-self.epsilon, self.epsilon)
        (found,) = leaves([row_clip(start) if random_start else p])
        self.require_weight_gradients(not self.lean)
        with torch.no_grad():
            before = nll(self.model(train[0], h, p)[0], train[1])
        for _ in range(ATTACK_STEPS):
            nll(self.model(train[0], h, found)[0], train[1]).backward()
            with torch.no_grad():
                moved = found + 2 * self.epsilon / ATTACK_STEPS * found.grad.sign()
                found.copy_(row_clip(p + (moved - p).clamp(-self.epsilon, self.epsilon)))
                found.grad = None
        self.require_weight_gradients(True)
        self.model.zero_grad()
        with torch.no_grad():
            after = nll(self.model(train[0], h, found)[0], train[1])
        self.model.train()
        return torch.where(before > after, p, found.detach())
