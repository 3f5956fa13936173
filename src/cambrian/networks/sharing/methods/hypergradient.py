"""The gradient of the validation loss with respect to gates, where the weights follow the training loss: Liu
et al., "DARTS: Differentiable Architecture Search" (ICLR 2019), Sec. 2.3, Eq. 5 to 8.

The weights are w' = w - xi d after the step that the optimiser takes: of SGD d = mu m + g with
g = grad_w L_train + decay w, as in the released code (quark0/darts: architect.py), and in Nesterov's form
d = g + mu (mu m + g), in which a gradient counts 1 + mu times. With that factor c

    d L_val(w', a) / da = grad_a L_val(w', a) - xi c (grad_a L_train(w+, a) - grad_a L_train(w-, a)) / 2R

where w+- = w +- R grad_w' L_val(w', a), which costs two more passes and no second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

Loss = Callable[[], Tensor]

RADIUS = 0.01
"""R times the norm of the gradient: the paper's step of the finite difference."""


@dataclass(frozen=True)
class Bilevel:
    """The two levels at one step: losses of the present weights and gates, on a batch of each part. `rate` is
    the weights' learning rate (xi), `momenta` their optimiser's buffers, None where one has not begun, and
    `decays` their weight decays."""

    gates: Sequence[Tensor]
    weights: Sequence[Tensor]
    validation: Loss
    training: Loss
    rate: float
    momenta: Sequence[Tensor | None] = ()
    momentum: float = 0.0
    decays: Sequence[float] = ()
    nesterov: bool = False

    @property
    def factor(self) -> float:
        """The derivative of a step with respect to its gradient."""
        return 1 + self.momentum if self.nesterov else 1.0


def first_order(level: Bilevel) -> list[Tensor]:
    """The gradient at the present weights: xi = 0 (Sec. 2.3)."""
    with held_fixed(level.weights):
        return differentiate(level.validation(), level.gates)


def second_order(level: Bilevel) -> list[Tensor]:
    """The gradient at the weights after one step, through that step."""
    if level.rate == 0:
        return first_order(level)
    # Weights of candidates that did not run have no gradient, and stay as they are.
    slopes = differentiate(level.training(), level.weights)
    with moved(level.weights, predict_step(level, slopes), -level.rate):
        gradients = differentiate(level.validation(), [*level.gates, *level.weights])
    direct, vector = gradients[: len(level.gates)], gradients[len(level.gates) :]
    implicit = mix_derivatives(level, vector)
    return [d - level.rate * level.factor * i for d, i in zip(direct, implicit, strict=True)]


def mix_derivatives(level: Bilevel, vector: Sequence[Tensor]) -> list[Tensor]:
    """The product of d2 L_train / da dw with `vector`, by a central difference (Eq. 8)."""
    norm = torch.sqrt(sum((v.double() ** 2).sum() for v in vector))  # type: ignore[arg-type]
    if norm == 0:
        return [torch.zeros_like(g) for g in level.gates]
    radius = RADIUS / float(norm)
    sides = []
    for sign in (1.0, -1.0):
        with moved(level.weights, vector, sign * radius), held_fixed(level.weights):
            sides.append(differentiate(level.training(), level.gates))
    return [(plus - minus) / (2 * radius) for plus, minus in zip(*sides, strict=True)]


def differentiate(loss: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of `loss`, zeros for tensors that it does not depend on, or that do not learn. Only what
    they need is computed: gates alone need no gradients of weights."""
    learning = [t for t in tensors if t.requires_grad]
    if not loss.requires_grad or not learning:  # fixed weights, and gates that were not asked
        return [torch.zeros_like(t) for t in tensors]
    found = torch.autograd.grad(loss, learning, allow_unused=True)
    known = {id(t): g for g, t in zip(found, learning, strict=True) if g is not None}
    return [known[id(t)] if id(t) in known else torch.zeros_like(t) for t in tensors]


@contextmanager
def held_fixed(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Inside, no gradients of the tensors are computed, and nothing is kept in memory for them."""
    learning = [t for t in tensors if t.requires_grad]
    for tensor in learning:
        tensor.requires_grad_(False)
    try:
        yield
    finally:
        for tensor in learning:
            tensor.requires_grad_(True)


@contextmanager
def moved(tensors: Sequence[Tensor], directions: Sequence[Tensor], by: float) -> Iterator[None]:
    """Inside, the tensors are moved by so much along the directions; afterwards they are, bit for bit, as
    they were."""
    held = [t.detach().clone() for t in tensors]
    with torch.no_grad():
        for tensor, direction in zip(tensors, directions, strict=True):
            tensor.add_(direction, alpha=by)
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, old in zip(tensors, held, strict=True):
                tensor.copy_(old)


def predict_step(level: Bilevel, slopes: Sequence[Tensor]) -> list[Tensor]:
    """The directions d of the weights' next step, given their gradients."""
    momenta = level.momenta or [None] * len(slopes)
    decays = level.decays or [0.0] * len(slopes)
    parts = zip(level.weights, slopes, momenta, decays, strict=True)
    return [_predict(level, slope + decay * weight.detach(), m) for weight, slope, m, decay in parts]


def _predict(level: Bilevel, decayed: Tensor, momentum: Tensor | None) -> Tensor:
    """A momentum that has not begun is zero."""
    buffer = decayed if momentum is None else decayed + level.momentum * momentum
    return decayed + level.momentum * buffer if level.nesterov else buffer
