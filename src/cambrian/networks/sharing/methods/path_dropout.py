"""Path dropout: Bender et al., "Understanding and Simplifying One-Shot Architecture Search" (ICML 2018,
Sec. 3.2). All candidates run together, and each is dropped with a probability that grows over the training:
weights then get used to missing neighbours, as they will be in the architectures that are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from cambrian.networks.sharing.methods.forks import count_options
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class PathDropout:
    """`rate` is the paper's r: of k candidates each is dropped with probability r^(1/k), so that all of them
    are with probability r. The rate grows linearly from 0. Questions that are not forks of modules are drawn
    anew for each step."""

    rate: Annotated[float, Span(0, 1, below=True)] = 0.1

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'path-dropout'")

    def step(
        self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream
    ) -> PathDropoutStep:
        return PathDropoutStep(self, supernet, recipe, draw)


class PathDropoutStep:
    """A gradient step of the candidates that are kept; those that are dropped get no gradient, and neither
    decay nor momentum moves them (the paper: L2 on the weights in use only)."""

    def __init__(self, method: PathDropout, supernet: Supernet, recipe: Recipe, draw: Draw) -> None:
        loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        sizes = count_options(supernet)
        self._inner = GradientStep(supernet, recipe, KeptLoss(loss, draw, method.rate, recipe, sizes))
        self._recipe = recipe

    @property
    def prefix(self) -> bool:
        """Whether the rate grows over a horizon of its own."""
        return self._inner.prefix and self._recipe.rates.horizon > 0

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        return self._inner.take(inputs, targets, moment)

    def state(self) -> dict[str, Tensor]:
        return self._inner.state()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._inner.restore(tensors)


@dataclass(frozen=True)
class KeptLoss:
    """The loss of the sum of the candidates that a step keeps; `sizes` are the numbers of candidates of each
    fork, by its question."""

    loss: HeadsLoss
    draw: Draw
    rate: float
    recipe: Recipe
    sizes: dict[str, int]

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        network.choose(self.draw(moment.done))  # type: ignore[operator]
        span = self.recipe.rates.span(moment.length, moment.steps_per_epoch)
        rate = self.rate * min(moment.done, span) / span
        # A stream of its own: the number of a step's draw is its own, counted downwards from far below.
        rng = self.draw.stream(-(1 << 39) + moment.done)
        kept = {k: rng.random(n) >= drop_probability(rate, n) for k, n in self.sizes.items()}
        device = inputs.device
        network.mix({k: torch.tensor(each, dtype=torch.float32, device=device) for k, each in kept.items()})  # type: ignore[operator]
        return self.loss(network, inputs, targets, moment)


def drop_probability(rate: float, count: int) -> float:
    """The probability of dropping one of `count` candidates, so that all are with probability `rate`.

    >>> [round(drop_probability(0.05, k), 4) for k in (1, 2, 4, 8)]
    [0.05, 0.2236, 0.4729, 0.6877]
    """
    return float(rate ** (1 / count))
