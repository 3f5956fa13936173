"""One uniformly drawn path per step: Guo et al., "Single Path One-Shot Neural Architecture Search with
Uniform Sampling" (ECCV 2020), Sec. 3.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Uniform:
    """Draws paths from the space's own distribution. Weights that are not on a step's path keep their values
    and their momentum."""

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return GradientStep(supernet, recipe, PathLoss(HeadsLoss(make_loss(recipe), recipe.auxiliary), draw))


@dataclass(frozen=True)
class PathLoss:
    """The loss of the path that is drawn for a step."""

    loss: HeadsLoss
    draw: Draw

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        # By the step's number and not from a generator: a resumed training draws the same paths.
        network.choose(self.draw(moment.done))  # type: ignore[operator]
        return self.loss(network, inputs, targets, moment)
