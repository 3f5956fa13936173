"""Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): the step of a filter
is its momentum made orthogonal, so that it moves all directions of the filter equally far.

As in Jordan's training of CIFAR-10 ("94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024; the variant
with Muon), filters keep their norms and do not decay, and all else is learned by SGD with Nesterov's
momentum. That suits filters which are followed by a normalisation, and whose scale says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

BETA = 0.6
"""The momentum of filters (Jordan's)."""
FILTER_RATE = 0.3
"""The rate of filters, as a share of that of other parameters (Jordan's: .24 of .67, the head's)."""
ITERATIONS = 3
"""Jordan has five. Three leave smaller directions somewhat behind, and are as good for less time: see
RESULTS.md."""
COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of x, x^3 and x^5 in a step of the iteration (Jordan 2024): steep at 0, and within .7 to 1.2 around 1."""
LEAST = 4
"""Input channels below which a filter is no matrix worth the name: those of images, and depthwise ones."""

SMALL = 0.1
"""The norm per output below which filters grow. Torch's initial ones have .58."""


class Muon(torch.optim.Optimizer):
    """Over `parameters`, of which those of more than one dimension decay, filters excepted."""

    def __init__(
        self, parameters: list[nn.Parameter], rate: float, momentum: float, weight_decay: float
    ) -> None:
        filters = [p for p in parameters if is_filter(p)]
        others = [p for p in parameters if not is_filter(p)]
        groups = [
            {"params": filters, "weight_decay": 0.0, "orthogonal": True},
            {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        ]
        super().__init__([g for g in groups if g["params"]], {"lr": rate, "orthogonal": False})
        self._momentum = momentum

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no training of ours has one
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["orthogonal"]:
                for filters in _group_alike(moved):
                    turn(filters, self._find_momenta(filters), FILTER_RATE * group["lr"])
            elif moved:
                self._slide(moved, group["lr"], group["weight_decay"])

    def _find_momenta(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return [self.state[parameter]["momentum_buffer"] for parameter in parameters]

    def _slide(self, parameters: list[Tensor], rate: float, decay: float) -> None:
        """Torch's SGD with Nesterov's momentum."""
        velocities, gradients = self._find_momenta(parameters), _list_gradients(parameters)
        if decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=decay))
        torch._foreach_mul_(velocities, self._momentum)
        torch._foreach_add_(velocities, gradients)
        steps = torch._foreach_add(gradients, velocities, alpha=self._momentum)
        torch._foreach_add_(parameters, steps, alpha=-rate)


def _group_alike(parameters: Sequence[Tensor]) -> list[list[Tensor]]:
    """The parameters in groups of one shape, whose steps are computed at once: those of small filters take
    less time than the calls that compute them."""
    groups = defaultdict[tuple[Any, ...], list[Tensor]](list)
    for parameter in parameters:
        groups[parameter.shape, parameter.dtype, parameter.device].append(parameter)
    return list(groups.values())


def _list_gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def is_filter(parameter: Tensor) -> bool:
    """Whether it is that of a convolution of images that reads several channels, [outputs, inputs, height,
    width]. Parameters of three dimensions are rather positions of tokens or stacks of matrices, and a single
    output has no directions: [1, channels, height, width] are positions too."""
    return parameter.ndim > 3 and len(parameter) > 1 and parameter.shape[1] >= LEAST


def turn(filters: list[Tensor], momenta: list[Tensor], rate: float) -> None:
    """Move filters of one shape by `rate` in each direction, of a norm per output of 1, and leave the norm of
    what moved of each as it was: of an elastic filter, the part that networks of the last steps had. Filters
    below SMALL, as those of a new branch that begins at zero, grow first."""
    gradients = _list_gradients(filters)
    torch._foreach_lerp_(momenta, gradients, 1 - BETA)
    steps = orthogonalise(_stack(torch._foreach_lerp(gradients, momenta, BETA)))
    weights, outputs = _stack(filters), len(filters[0]) ** 0.5
    norm = _norms(weights)
    grown = norm >= SMALL * outputs
    scale = torch.where(grown, norm, outputs)
    moves = steps != 0
    before = _norms(weights.where(moves, 0.0))
    weights.addcmul_(steps, scale, value=-rate / outputs)
    after = _norms(weights.where(moves, 0.0)).clamp_min(1e-12)
    weights.mul_(torch.where(moves & grown, before / after, 1.0))
    torch._foreach_copy_(filters, [one.view(filters[0].shape) for one in weights])


def _stack(filters: Iterable[Tensor]) -> Tensor:
    """[filters, outputs, rest], a copy."""
    return torch.stack([one.reshape(len(one), -1) for one in filters])


def _norms(matrices: Tensor) -> Tensor:
    """[filters, 1, 1]: over all entries of each."""
    norms: Tensor = torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True)
    return norms


def orthogonalise(matrices: Tensor) -> Tensor:
    """U f(S) V' for each of the matrices U S V' [..., rows, columns], where f brings singular values near 1:
    by a Newton-Schulz iteration of the fifth order, which needs products alone. All but the last are of the
    smaller square X X', in which the factors commute: a step X <- Q X with Q = a + b X X' + c (X X')^2 turns
    the square into Q (X X') Q."""
    first, third, fifth = COEFFICIENTS
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    square, unit = x @ x.mT, torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
    product = unit
    for left in reversed(range(ITERATIONS)):
        factor = first * unit + third * square + fifth * (square @ square)
        product = factor @ product
        square = factor @ square @ factor if left else square
    found: Tensor = product @ x
    return found if wide else found.mT
