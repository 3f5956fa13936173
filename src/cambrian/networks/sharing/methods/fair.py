"""Strict fairness: Chu et al., "FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture
Search" (ICCV 2021), Algorithm 1. For each batch the options of every question are permuted, and the m paths
of the m permuted places learn from it together, in one update: each option gets exactly one gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, OneOf
from cambrian.errors import Rejected
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Fair:
    """m is the largest number of options of a question; one with fewer begins again with its first, and is
    fair on average. Questions for subsets and numbers are drawn from the space's own distribution."""

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        options = {path: c.options for path, c in supernet.choices.items() if isinstance(c, OneOf)}
        turns = max(map(len, options.values()), default=1)
        loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        return GradientStep(supernet, recipe, FairLoss(loss, draw, turns))


@dataclass(frozen=True)
class FairLoss:
    """The mean loss of the paths of a step, with the gradient of their sum."""

    loss: HeadsLoss
    draw: Draw
    turns: int

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        *first, last = list_fair_paths(self.draw, moment.done, self.turns)
        # The gradients of all paths but the last add up here, so that the activations of one path are in
        # memory at a time; the step adds those of the last one, and updates once.
        total = torch.zeros((), device=inputs.device)
        for path in first:
            loss = self._measure(network, path, inputs, targets, moment)
            torch.autograd.backward(loss)
            total += loss.detach()
        loss = self._measure(network, last, inputs, targets, moment)
        mean = (total + loss.detach()) / self.turns
        return loss + (mean - loss.detach())  # the value of the mean, the gradient of the last loss

    def _measure(
        self, network: nn.Module, path: Architecture, inputs: Tensor, targets: Tensor, moment: Moment
    ) -> Tensor:
        network.choose(path)  # type: ignore[operator]
        return self.loss(network, inputs, targets, moment)


def list_fair_paths(draw: Draw, number: int, turns: int) -> list[Architecture]:
    """The paths of step `number`, `turns` of them; the same number gives the same ones."""
    orders: dict[str, Sequence[int]] = {}
    rng = draw.stream(number)

    def answer_on(turn: int, choice: Choice) -> Answer:
        if not isinstance(choice, OneOf):
            return choice.draw(rng)
        order = orders.setdefault(choice.path, rng.permutation(len(choice.options)).tolist())
        # The options of a question may depend on the answers before it, and their number with them.
        return choice.options[order[turn % len(order)] % len(choice.options)]

    paths = []
    for turn in range(turns):
        try:
            paths.append(draw.walk(lambda choice, turn=turn: answer_on(turn, choice)))  # type: ignore[misc]
        except Rejected:  # a space with forbidden combinations cannot be permuted freely
            paths.append(draw(number * turns + turn))
    return paths
