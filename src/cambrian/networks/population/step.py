"""The step of a training (see `cambrian.networks.training.step`) that trains several networks on one
batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cambrian.errors import UsageError
from cambrian.networks.population.descent import PopulationDescent
from cambrian.networks.population.lanes import Lanes
from cambrian.networks.training.losses import Loss, make_loss
from cambrian.networks.training.precision import choose_precision, half_precision
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import Moment

OWN = (
    "learning_rate",
    "schedule",
    "warmup",
    "decay_epochs",
    "decay_factor",
    "restart_multiple",
    "cooldown",
)
"""The settings in which the recipes of a population may differ: they decide the learning rate alone."""


class PopulationStep:
    """Descends the loss of each lane alone, at the rate of its recipe. All recipes agree in the other
    settings. A lane whose loss is not finite does not disturb the others: none of its numbers reaches them.

    `totals` float[lanes] are the sums of the lanes' losses since they were last set to zero."""

    def __init__(self, lanes: Lanes, recipes: Sequence[Recipe], loss: Loss | None = None) -> None:
        _check_recipes(recipes, len(lanes.networks))
        self._lanes, self._recipes = lanes, recipes
        self._loss = loss or make_loss(recipes[0])
        self._descent = PopulationDescent(lanes.flats, len(lanes.networks), recipes[0])
        first = lanes.flats[0].weights
        self._precision = _choose_precision(lanes, recipes[0].precision, first.device)
        self.totals = torch.zeros(len(lanes.networks), device=first.device)

    @property
    def prefix(self) -> bool:
        return all(recipe.prefix for recipe in self._recipes)

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """See `Step`. Returns the mean loss of the lanes whose loss is finite."""
        with half_precision(inputs.device, self._precision):
            outputs = self._lanes(inputs)
        losses = torch.stack([self._loss_of(output, targets) for output in outputs])
        torch.autograd.backward(losses.sum())
        at = moment.scheduled, moment.length, moment.steps_per_epoch
        self._descent.descend([recipe.rate(*at) for recipe in self._recipes])
        losses = losses.detach()
        self.totals += losses
        return losses[losses.isfinite()].mean()

    def state(self) -> dict[str, Tensor]:
        return {**self._descent.state(), "totals": self.totals}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._descent.restore(tensors)
        self.totals.copy_(tensors["totals"])

    def _loss_of(self, output: Any, targets: Tensor) -> Tensor:
        """The loss of one lane (see `HeadsLoss`)."""
        heads = output if isinstance(output, tuple) else (output,)
        # In 32 bits, outside of autocast.
        first, *others = (self._loss(_widen(logits), targets) for logits in heads)
        return first + self._recipes[0].auxiliary * sum(others) if others else first


def _choose_precision(lanes: Lanes, wanted: str, device: torch.device) -> str:
    """The precision that each lane would have alone; 32 bits where they differ, since they share kernels."""
    alone = {choose_precision(network, wanted, device) for network in lanes.networks}
    return alone.pop() if len(alone) == 1 else "float32"


def _widen(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def _check_recipes(recipes: Sequence[Recipe], lanes: int) -> None:
    if len(recipes) != lanes:
        raise UsageError(f"a population of {lanes} networks needs as many recipes, got {len(recipes)}")
    for name in (field.name for field in dataclasses.fields(Recipe)):
        values = [getattr(recipe, name) for recipe in recipes]
        if name not in OWN and any(value != values[0] for value in values):
            raise UsageError(
                f"the recipes of a population agree in all but {', '.join(OWN)}, but have {name} ="
                f" {values[0]!r} and {next(v for v in values if v != values[0])!r}: train them apart"
            )
    if recipes[0].drop_path:
        raise UsageError("a population does not drop paths: leave out drop_path, or train the networks alone")
    if recipes[0].optimiser == "muon":
        raise UsageError("a population is not trained by muon, which looks at each filter: take sgd or adamw")
    # Shapes are part of what was traced.
    if recipes[0].first_resolution < 1:
        raise UsageError("the images of a population do not grow: leave out first_resolution")
