"""A step of a training learns from one batch. The loop around it (`trainer`) brings batches, seeds,
checkpoints and pace, and knows nothing of losses, networks and optimisers.

`GradientStep` descends one loss. A method with a loss of its own (a path drawn for each step; the sandwich
rule with distillation) gives it another `Objective`; one that learns more than the weights (gates, by an
optimiser of their own on other batches) is a `Step` made of several `Descent`s.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cambrian.networks.drop_path import find_path_droppers
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.losses import Loss, make_loss
from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Moment:
    """Where in a training a step stands: `epoch` and `step` of that epoch from 0, of `length` steps in
    all."""

    epoch: int
    step: int
    steps_per_epoch: int
    length: int

    @property
    def done(self) -> int:
        """The steps before this one, of all epochs."""
        return self.epoch * self.steps_per_epoch + self.step


class Step(Protocol):
    """A way to learn from batches. Before each step torch's generator of the device is seeded by the step's
    number, so that draws from it are the same in a training that was resumed."""

    @property
    def prefix(self) -> bool:
        """Whether a step does not depend on how long the training is, so that a training can be continued."""
        ...

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """Learn from inputs [b, channels, height, width] and targets [b]; the loss [] without its gradient,
        of which the loop sees to it that it is finite."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on beside the network's own weights and buffers."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from the tensors that `state` gave, which may lie on another device and in another layout."""
        ...


class Objective(Protocol):
    """The loss that a gradient step descends."""

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """The loss [], with its gradient."""
        ...


@dataclass(frozen=True)
class HeadsLoss:
    """The loss of the first head and, weighed by `auxiliary`, those of the other heads: networks with
    auxiliary heads give their logits too while they train (Szegedy et al. 2015, Sec. 5)."""

    loss: Loss
    auxiliary: float = 0.0

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        with half_precision(inputs.device):
            output = network(inputs)
        heads = output if isinstance(output, tuple) else (output,)
        first, *others = (self.loss(logits.float(), targets) for logits in heads)
        return first + self.auxiliary * sum(others) if others else first


class GradientStep:
    """Down the gradient of one objective, by default the recipe's loss, at the recipe's rate; paths are
    dropped at the recipe's rate or else at the one each module wants."""

    def __init__(self, network: nn.Module, recipe: Recipe, objective: Objective | None = None) -> None:
        self._network, self._recipe = network, recipe
        self._objective = objective or HeadsLoss(make_loss(recipe), recipe.auxiliary)
        self._descent = Descent([p for p in network.parameters() if p.requires_grad], recipe)
        rates = [(d, recipe.drop_path or d.drop_path) for d in find_path_droppers(network)]
        self._droppers = [(dropper, rate) for dropper, rate in rates if rate]

    @property
    def prefix(self) -> bool:
        """A recipe that is a prefix without a horizon still has none for the network's own drop path."""
        return self._recipe.prefix and (not self._droppers or self._recipe.rates.horizon > 0)

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        self._drop_paths(moment)
        loss = self._objective(self._network, inputs, targets, moment)
        torch.autograd.backward(loss)
        self._descent.descend(self._recipe.rate(moment.done, moment.length, moment.steps_per_epoch))
        return loss.detach()

    def state(self) -> dict[str, Tensor]:
        return self._descent.state()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._descent.restore(tensors)

    def _drop_paths(self, moment: Moment) -> None:
        """The rates grow linearly over the horizon, from 0 (Zoph et al. 2018, Sec. 4)."""
        span = self._recipe.rates.span(moment.length, moment.steps_per_epoch)
        for dropper, rate in self._droppers:
            dropper.set_drop_path(rate * min(moment.done, span) / span)


def half_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where it gains: on CUDA (on CPU it is slower for such networks)."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
