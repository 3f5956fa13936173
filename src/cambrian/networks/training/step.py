"""A step of a training, which learns from one batch. The loop around it (`trainer`) provides batches, seeds
and checkpoints, and does not depend on losses and optimisers.

`GradientStep` descends one loss. A method with its own loss (a path drawn for each step; the sandwich rule
with distillation) gives it another `Objective`. A method that learns more than the weights (gates, by a
separate optimiser on other batches) is a `Step` made of several `Descent`s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from cambrian.networks.drop_path import find_path_droppers
from cambrian.networks.training.descent import Descent
from cambrian.networks.training.losses import Loss, make_loss
from cambrian.networks.training.precision import half_precision
from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Moment:
    """The position of a step in a training: `epoch` and the `step` within it, both from 0; `length` is the
    total number of steps. `elapsed` is the position by time, in steps, if that differs: steps on small images
    take less of it."""

    epoch: int
    step: int
    steps_per_epoch: int
    length: int
    elapsed: int | None = None

    @property
    def done(self) -> int:
        """The number of steps before this one, over all epochs."""
        return self.epoch * self.steps_per_epoch + self.step

    @property
    def scheduled(self) -> int:
        """The position on the schedule of the learning rate, in steps."""
        return self.done if self.elapsed is None else self.elapsed


class Step(Protocol):
    """A method of learning from batches. Before each step torch's generator of the device is seeded by the
    step's number, so that a resumed training makes the same random draws."""

    @property
    def prefix(self) -> bool:
        """Whether steps are independent of the training's length, so that a training can be continued."""
        ...

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """Learn from inputs [b, channels, height, width] and targets [b], and return the loss [], detached.
        The loop checks that it is finite."""
        ...

    def state(self) -> dict[str, Tensor]:
        """The tensors that later steps depend on, besides the network's weights and buffers."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from the tensors that `state` returned, which may be on another device or in another
        layout."""
        ...


class Objective(Protocol):
    """The loss that a gradient step descends."""

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """The loss [], attached to its gradient."""
        ...


@dataclass(frozen=True)
class HeadsLoss:
    """The loss of the first head plus `auxiliary` times the losses of the other heads, whose logits a network
    returns only in training (Szegedy et al. 2015, Sec. 5), computed in `precision`."""

    loss: Loss
    auxiliary: float = 0.0
    precision: str = "auto"

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        with half_precision(inputs.device, self.precision):
            output = network(inputs)
        # The loss is computed in 32 bits, outside of autocast: bfloat16 keeps 8 bits of a number.
        heads = output if isinstance(output, tuple) else (output,)
        first, *others = (self.loss(logits.float(), targets) for logits in heads)
        return first + self.auxiliary * sum(others) if others else first


class GradientStep:
    """Descends the gradient of one objective, by default the recipe's loss, at the recipe's learning rate.
    Paths are dropped at the recipe's rate or, if that is 0, at the rate of each module."""

    def __init__(self, network: nn.Module, recipe: Recipe, objective: Objective | None = None) -> None:
        self._network, self._recipe = network, recipe
        self._objective = objective or HeadsLoss(make_loss(recipe), recipe.auxiliary)
        self._descent = Descent([p for p in network.parameters() if p.requires_grad], recipe)
        # Looked up once, since checking every module at every step is slow.
        rates = [(d, recipe.drop_path or d.drop_path) for d in find_path_droppers(network)]
        self._droppers = [(dropper, rate) for dropper, rate in rates if rate]

    @property
    def prefix(self) -> bool:
        """Whether neither the recipe nor the drop path depends on the training's length."""
        # A constant rate is a prefix without a horizon, but drop path still grows over one.
        return self._recipe.prefix and (not self._droppers or self._recipe.rates.horizon > 0)

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        self._drop_paths(moment)
        loss = self._objective(self._network, inputs, targets, moment)
        torch.autograd.backward(loss)
        self._descent.descend(self._recipe.rate(moment.scheduled, moment.length, moment.steps_per_epoch))
        return loss.detach()

    def reorder(self, moves: Iterable[tuple[Tensor, int, Tensor]]) -> None:
        """Reorder weights along a dimension, and their moments alike: see `Descent.reorder`."""
        self._descent.reorder(moves)

    def state(self) -> dict[str, Tensor]:
        return self._descent.state()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._descent.restore(tensors)

    def _drop_paths(self, moment: Moment) -> None:
        """Set the rates, which grow linearly from 0 over the horizon (Zoph et al. 2018, Sec. 4)."""
        span = self._recipe.rates.span(moment.length, moment.steps_per_epoch)
        for dropper, rate in self._droppers:
            dropper.set_drop_path(rate * min(moment.done, span) / span)
