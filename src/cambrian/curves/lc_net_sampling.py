"""The network of `lc_net.py`, and the chain that samples its weights.

All weights are one vector, so that a step of the sampler is a dozen operations and not a hundred.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

HIDDEN, BASES = 50, 3
NOISE = 1e-3
"""The variance of a point at the start, around which its prior lies."""
DECAY = 0.05
"""Of the momentum in a step."""
TINY = 1e-10


class CurveSurface:
    """The mean of a curve at rows [n, features + 1], whose last column is the share of the training."""

    def __init__(self, features: int) -> None:
        # The head: 9 parameters of bases, 3 weights, the asymptote.
        sizes = [max(features, 1), HIDDEN, HIDDEN, HIDDEN, 4 * BASES + 1]
        self.shapes = [shape for a, b in pairwise(sizes) for shape in ((b, a), (b,))]
        self.lengths = [math.prod(shape) for shape in self.shapes]

    def draw(self, generator: torch.Generator) -> Tensor:
        """Weights at random, without biases; the last number is the logarithm of the noise's variance."""
        parts = [
            torch.randn(shape, generator=generator) * shape[1] ** -0.5
            if len(shape) > 1
            else torch.zeros(shape)
            for shape in self.shapes
        ]
        return torch.cat([*(part.flatten() for part in parts), torch.tensor([math.log(NOISE)])])

    def read(self, vector: Tensor, rows: Tensor) -> Tensor:
        """The means [n] with the weights of `vector`."""
        hidden, time = rows[:, :-1], rows[:, -1]
        if not hidden.shape[1]:  # nothing is known of the architectures
            hidden = torch.zeros(len(rows), 1)
        parts = [p.view(s) for p, s in zip(torch.split(vector[:-1], self.lengths), self.shapes, strict=True)]
        for weight, bias in zip(parts[:-2:2], parts[1:-2:2], strict=True):
            hidden = torch.addmm(bias, hidden, weight.T).tanh()
        head = torch.addmm(parts[-1], hidden, parts[-2].T)
        parameters, weights, asymptote = torch.split(head, [9, BASES, 1], 1)
        bases = evaluate_bases(parameters.tanh(), time)
        means: Tensor = asymptote[:, 0].sigmoid() + (weights.softmax(1) * bases).sum(1).tanh()
        return means


def evaluate_bases(parameters: Tensor, time: Tensor) -> Tensor:
    """Vapor pressure relative to its end, logarithm and Hill: [n, 3] of parameters [n, 9] from -1 to 1."""
    a, b, c, d, e, f, g, h, i = ((parameters + 1) / 2).unbind(1)
    vapor = (-a - (b / 10) / (time + 1e-5) - (c / 10) * time.log()).exp() - (-a - b / 10).exp()
    logarithm = (10 * f + 5 * d * (e * time + TINY).log()) / 10
    hill = g / ((i / 100 / (time + 1e-5) + TINY) ** h + 1)
    return torch.stack([vapor, logarithm, hill], 1)


class Chain:
    """Adaptive SGHMC: the preconditioner of each weight is estimated during the first `burn` steps."""

    def __init__(self, rows: tuple[Any, Any], rate: float, batch: int, burn: int, seed: int) -> None:
        self.rows, self.values = (torch.from_numpy(part).float() for part in rows)
        self.rate, self.batch, self.burn, self.taken = rate, batch, burn, 0
        self.generator = torch.Generator().manual_seed(seed)
        self.surface = CurveSurface(self.rows.shape[1] - 1)
        self.vector = self.surface.draw(self.generator)
        self.momentum = torch.zeros_like(self.vector)
        self.tau, self.g, self.v = (torch.ones_like(self.vector) for _ in range(3))

    def fork(self, seed: int) -> Chain:
        """The chain as it is, whose further draws are named by `seed`; its preconditioner stays."""
        other = Chain.__new__(Chain)
        other.__dict__.update(self.__dict__)
        other.vector, other.momentum = self.vector.clone(), self.momentum.clone()
        other.generator = torch.Generator().manual_seed(seed)
        return other

    def run(self, steps: int, own: tuple[Any, Any] | None = None, keep: int = 0) -> list[Tensor]:
        """Takes steps; half of each batch is of the points `own`, where there are any: of thousands of others
        they would hardly be drawn. Returns every `keep`th sample."""
        mine = None if own is None else tuple(torch.from_numpy(part).float() for part in own)
        samples = []
        for step in range(1, steps + 1):
            self._step(*self._draw_batch(mine))
            if keep and step % keep == 0:
                samples.append(self.vector.clone())
        return samples

    def _draw_batch(self, own: Any) -> tuple[Tensor, Tensor]:
        half = 0 if own is None else self.batch // 2
        places = torch.randint(len(self.rows), (self.batch - half,), generator=self.generator)
        rows, values = self.rows[places], self.values[places]
        if not half:
            return rows, values
        places = torch.randint(len(own[0]), (half,), generator=self.generator)
        return torch.cat([rows, own[0][places]]), torch.cat([values, own[1][places]])

    def _step(self, rows: Tensor, values: Tensor) -> None:
        gradient = self._differentiate(rows, values)
        if self.taken < self.burn:
            share = 1 / (self.tau + 1)
            self.tau += 1 - self.tau * self.g * self.g / (self.v + TINY)
            self.g += share * (gradient - self.g)
            self.v += share * (gradient**2 - self.v)
        inverse, squared = 1 / (self.v.sqrt() + TINY), self.rate**2 / len(self.rows)
        spread = (2 * squared * DECAY * inverse - squared**2).clamp(min=1e-16).sqrt()
        noise = torch.randn(self.vector.shape, generator=self.generator)
        # The preconditioner is of the gradient of a single point, the drift of the whole posterior.
        drift = squared * len(self.rows) * inverse * gradient
        self.momentum = (1 - DECAY) * self.momentum - drift + spread * noise
        self.vector = self.vector + self.momentum
        self.taken += 1

    def _differentiate(self, rows: Tensor, values: Tensor) -> Tensor:
        """The gradient of the negative logarithm of the posterior, for each point: a normal likelihood,
        standard normal weights, and a noise that is log-normal around NOISE."""
        vector = self.vector.requires_grad_()
        noise = vector[-1]
        errors = (self.surface.read(vector, rows) - values) ** 2
        likelihood = -0.5 * (errors / (noise.exp() + TINY) + noise).mean()
        prior = -0.5 * (vector[:-1] ** 2).sum() - 0.5 * (noise - math.log(NOISE)) ** 2
        (gradient,) = torch.autograd.grad(-likelihood - prior / len(self.rows), vector)
        self.vector = vector.detach()
        return gradient
