"""One uniformly drawn path per step: Guo et al., "Single Path One-Shot Neural Architecture Search with
Uniform Sampling" (ECCV 2020), Sec. 3.2; or one that is drawn evenly over ranges of cost (its released
code)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from torch import Tensor, nn

from cambrian.architecture import Architecture
from cambrian.networks.sharing.methods.even_paths import EvenPaths
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Uniform:
    """Draws paths from the space's own distribution. Weights that are not on a step's path keep their values
    and their momentum. With `bins` paths are drawn evenly over so many ranges of multiply-accumulates, of
    equal width, between the 5th and the 95th percentile of the space's (0: not so)."""

    bins: Annotated[int, Span(0, 1000)] = 0

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'uniform'")

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        if not self.bins:
            return GradientStep(supernet, recipe, PathLoss(loss, draw))
        _, channels, height, width = validation.batch(0, 0)[0].shape
        paths = EvenPaths(supernet, draw, (channels, height, width), self.bins)
        return GradientStep(supernet, recipe, PathLoss(loss, paths))


@dataclass(frozen=True)
class PathLoss:
    """The loss of the path that is drawn for a step."""

    loss: HeadsLoss
    draw: Callable[[int], Architecture]

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        # By the step's number and not from a generator: a resumed training draws the same paths.
        network.choose(self.draw(moment.done))  # type: ignore[operator]
        return self.loss(network, inputs, targets, moment)
