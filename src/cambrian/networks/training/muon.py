"""Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): the step of a filter
is its momentum made orthogonal, so that it moves all directions of the filter equally far.

As in Jordan's training of CIFAR-10 ("94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024; the variant
with Muon), filters keep their norms and do not decay, and all else is learned by SGD with Nesterov's
momentum. That suits filters which are followed by a normalisation, and whose scale says nothing.
"""

from __future__ import annotations

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
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                if group["orthogonal"]:
                    turn(parameter, state["momentum_buffer"], FILTER_RATE * group["lr"])
                else:
                    self._slide(parameter, state["momentum_buffer"], group["lr"], group["weight_decay"])

    def _slide(self, parameter: Tensor, velocity: Tensor, rate: float, decay: float) -> None:
        """Torch's SGD with Nesterov's momentum."""
        assert parameter.grad is not None
        gradient = parameter.grad.add(parameter, alpha=decay) if decay else parameter.grad
        velocity.mul_(self._momentum).add_(gradient)
        parameter.add_(gradient.add(velocity, alpha=self._momentum), alpha=-rate)


def is_filter(parameter: Tensor) -> bool:
    """Whether it is that of a convolution of images that reads several channels, [outputs, inputs, height,
    width]. Parameters of three dimensions are rather positions of tokens or stacks of matrices, and a single
    output has no directions: [1, channels, height, width] are positions too."""
    return parameter.ndim > 3 and len(parameter) > 1 and parameter.shape[1] >= LEAST


def turn(filters: Tensor, momentum: Tensor, rate: float) -> None:
    """Move the filters by `rate` in each direction, of a norm per output of 1, and leave the norm of what
    moved as it was: of an elastic filter, the part that networks of the last steps had. Filters below SMALL,
    as those of a new branch that begins at zero, grow first."""
    assert filters.grad is not None
    momentum.lerp_(filters.grad, 1 - BETA)
    ahead = filters.grad.lerp(momentum, BETA)
    step = orthogonalise(ahead.reshape(len(ahead), -1)).view(ahead.shape)
    norm, outputs = filters.norm(), len(filters) ** 0.5
    grown = norm >= SMALL * outputs
    scale = torch.where(grown, norm, outputs)
    moves = step != 0
    before = filters.where(moves, 0.0).norm()
    filters.addcmul_(step, scale, value=-rate / outputs)
    after = filters.where(moves, 0.0).norm().clamp_min(1e-12)
    filters.mul_(torch.where(moves & grown, before / after, 1.0))


def orthogonalise(matrix: Tensor) -> Tensor:
    """U f(S) V' for the matrix U S V', where f brings singular values near 1: by a Newton-Schulz iteration of
    the fifth order, which needs products alone. All but the last are of the smaller square X X', in which the
    factors commute: a step X <- Q X with Q = a + b X X' + c (X X')^2 turns the square into Q (X X') Q."""
    first, third, fifth = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    square, product = x @ x.T, torch.eye(len(x), dtype=x.dtype, device=x.device)
    for left in reversed(range(ITERATIONS)):
        factor = torch.addmm(square, square, square, beta=third, alpha=fifth)
        factor.diagonal().add_(first)
        product = factor @ product
        square = factor @ square @ factor if left else square
    found: Tensor = product @ x
    return found if wide else found.T
