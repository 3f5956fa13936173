"""Weights by a hypernetwork: Brock et al., "SMASH: One-Shot Model Architecture Search through HyperNetworks"
(ICLR 2018, arXiv 1708.05344), Algorithm 1. At each step a random architecture has the weights that the
hypernetwork generates for it, and the gradient of its loss goes on into the hypernetwork."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.func import functional_call

from cambrian.errors import UsageError
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class SMASH:
    """Trains the hypernetwork together with the weights that it does not generate. Architectures are drawn
    from the space's own distribution; the paper's budget of memory and its growing kernels are left out."""

    hypernetwork: ClassVar[bool] = True

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        if supernet.hypernetwork is None:
            raise UsageError("supernet method 'smash': this supernet does not have a hypernetwork")
        loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        return GradientStep(supernet, recipe, GeneratedLoss(loss, draw))


@dataclass(frozen=True)
class GeneratedLoss:
    """The loss of the architecture that is drawn for a step, with its generated weights."""

    loss: HeadsLoss
    draw: Draw

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        supernet: Any = network
        architecture = self.draw(moment.done)
        supernet.choose(architecture)
        # Instead of those that `choose` wrote, which have no graph.
        weights = supernet.hypernetwork.name_weights(supernet, architecture)
        return self.loss(partial(functional_call, supernet, weights), inputs, targets, moment)  # type: ignore[arg-type]
