"""One search step: DARTS of first and second order, SDARTS-RS, SDARTS-ADV.

Sections refer to the project's specification: second order 2.3, hyper-parameters 2.4, the step
3.2, RS 3.3, ADV 3.4. It does what the published code does, also where that is wasteful: the
gradients of the weights are computed in the α-step and in the attack, and thrown away. `lean=True`
leaves them out, to tell how much of a difference in speed comes from that alone.

A step never waits for the device: no branch and no number of the host depends on a tensor's value,
and losses are tensors. So a CUDA graph can hold it (`replay.py`).
"""

from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.functional import cross_entropy

METHODS = ("darts", "sdarts-rs", "sdarts-adv", "second-order")
ATTACK_STEPS = 7
MOMENTUM = 0.9
WEIGHT_DECAY = 3e-4
GRADIENT_CLIP = 5.0


def probabilities(alpha):
    return [rows.softmax(dim=-1) for rows in alpha]


def leaves(tensors):
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def row_clip(p):
    """Clamps to [0, 1] and divides each row by its sum; a row of zeros becomes its argmax."""
    clamped = p.clamp(0, 1)
    total = clamped.sum(dim=-1, keepdim=True)
    places = torch.arange(p.shape[-1], device=p.device)
    argmax = (places == p.argmax(dim=-1, keepdim=True)).to(p.dtype)
    return torch.where(total > 0, clamped / total, argmax)


def add_noise(p, epsilon):
    """SDARTS-RS: uniform noise of radius epsilon on every entry."""
    return [row_clip(rows + torch.empty_like(rows).uniform_(-epsilon, epsilon)) for rows in p]


class Search:
    """Weights, α and their optimisers. `amp` runs the network in bfloat16 where PyTorch allows it."""

    def __init__(
        self, network, alpha, method, epsilon=0.03, learning_rate=0.025, lean=False, amp=False
    ):
        self.network, self.alpha, self.method = network, alpha, method
        self.epsilon, self.learning_rate, self.lean, self.amp = epsilon, learning_rate, lean, amp
        self.weights = list(network.parameters())
        self.weight_optimiser = torch.optim.SGD(
            self.weights, learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )
        # Capturable: the number of steps is counted on the device, about ten launches of 34,000.
        self.alpha_optimiser = torch.optim.Adam(
            alpha,
            3e-4,
            betas=(0.5, 0.999),
            eps=1e-8,
            weight_decay=1e-3,
            capturable=alpha[0].is_cuda,
        )

    def step(self, train, valid):
        """A whole step on two batches (images, labels); returns the two losses.

        It leaves no gradients behind: the next one would add to them, in a CUDA graph to memory
        that is long in other use.
        """
        self.network.train()
        valid_loss = self.alpha_step(train, valid)
        with torch.no_grad():
            p = probabilities(self.alpha)
        train_loss = self.weight_step(self.perturbed(p, train), train)
        return train_loss, valid_loss

    def perturbed(self, p, train):
        """p of the w-step."""
        if self.method == "sdarts-rs":
            return add_noise(p, self.epsilon)
        if self.method == "sdarts-adv":
            return self.attack(p, train)[0]
        return p

    def loss(self, p, batch):
        images, labels = batch
        device = images.device.type
        with torch.autocast(device, torch.bfloat16) if self.amp else nullcontext():
            return cross_entropy(self.network(images, p), labels)

    @contextmanager
    def weight_gradients_dropped(self):
        """Gradients of the weights are computed in here and dropped, or left out if `lean`.

        By requires_grad, because a compiled cell computes the gradients of all that requires them.
        """
        self.require_weight_gradients(not self.lean)
        yield
        self.require_weight_gradients(True)
        self.network.zero_grad()

    def require_weight_gradients(self, required):
        for weight in self.weights:
            weight.requires_grad_(required)

    def alpha_step(self, train, valid):
        if self.method == "second-order":
            loss = self.second_order_gradient(train, valid)
        else:
            loss = self.first_order_gradient(valid)
        self.alpha_optimiser.step()
        self.alpha_optimiser.zero_grad()
        return loss

    def first_order_gradient(self, valid):
        """Puts the gradient of the validation loss into α."""
        with self.weight_gradients_dropped():
            loss = self.loss(probabilities(self.alpha), valid)
            loss.backward()
        return loss.detach()

    def second_order_gradient(self, train, valid):
        """Puts the gradient through one step of SGD on the weights into α."""
        rate, saved = self.learning_rate, [w.detach().clone() for w in self.weights]
        gradient = torch.autograd.grad(self.train_loss(train), self.weights)
        with torch.no_grad():
            for weight, found in zip(self.weights, gradient):
                buffer = self.weight_optimiser.state[weight].get("momentum_buffer")
                momentum = 0 if buffer is None else MOMENTUM * buffer
                weight -= rate * (momentum + found + WEIGHT_DECAY * weight)

        loss = self.loss(probabilities(self.alpha), valid)
        loss.backward()
        direction = [weight.grad for weight in self.weights]
        self.network.zero_grad()

        # The Hessian-vector product by central differences along the gradient at w'.
        radius = 0.01 / torch.cat([v.flatten() for v in direction]).norm()
        self.set_weights(w + radius * v for w, v in zip(saved, direction))
        plus = torch.autograd.grad(self.train_loss(train), self.alpha)
        self.set_weights(w - radius * v for w, v in zip(saved, direction))
        minus = torch.autograd.grad(self.train_loss(train), self.alpha)
        self.set_weights(saved)
        for rows, upper, lower in zip(self.alpha, plus, minus):
            rows.grad -= rate * (upper - lower) / (2 * radius)
        return loss.detach()

    def train_loss(self, train):
        return self.loss(probabilities(self.alpha), train)

    @torch.no_grad()
    def set_weights(self, values):
        for weight, value in zip(self.weights, values):
            weight.copy_(value)

    def attack(self, p, train, random_start=True):
        """SDARTS-ADV: ascends the training loss within epsilon of p by sign gradients.

        In eval mode, so that batch norm uses its running statistics. Returns the perturbed p and
        its loss; p itself, if the loss went down.
        """
        self.network.eval()
        with torch.no_grad():
            loss_before = self.loss(p, train)
        found = leaves(add_noise(p, self.epsilon) if random_start else p)
        for _ in range(ATTACK_STEPS):
            self.ascend(found, p, train)
        with torch.no_grad():
            loss_after = self.loss(found, train)
            worse = loss_before > loss_after
            chosen = [torch.where(worse, centre, rows) for centre, rows in zip(p, found)]
        self.network.train()
        return chosen, torch.where(worse, loss_before, loss_after)

    def ascend(self, found, p, train):
        """A step of the attack, in place."""
        with self.weight_gradients_dropped():
            self.loss(found, train).backward()
        with torch.no_grad():
            for rows, centre in zip(found, p):
                moved = rows + 2 * self.epsilon / ATTACK_STEPS * rows.grad.sign()
                change = (moved - centre).clamp(-self.epsilon, self.epsilon)
                rows.copy_(row_clip(centre + change))
                rows.grad = None

    def weight_step(self, p, train):
        """SGD on the weights at fixed p."""
        # The published code tracks p here too, and drops its gradient.
        loss = self.loss(p if self.lean else leaves(p), train)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, GRADIENT_CLIP)
        self.weight_optimiser.step()
        self.weight_optimiser.zero_grad()
        return loss.detach()
