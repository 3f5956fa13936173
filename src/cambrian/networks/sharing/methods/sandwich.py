"""The sandwich rule with in-place distillation: Yu & Huang, "Universally Slimmable Networks and Improved
Training Techniques" (ICCV 2019, arXiv 1903.05134), as in BigNAS (Yu et al. 2020) and AttentiveNAS (Wang et
al. 2021). At each step the largest architecture learns from the labels, and the smallest and a few random
ones from what the largest says; their gradients are summed for one update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from cambrian.architecture import Architecture
from cambrian.networks.heads import first_head
from cambrian.networks.sharing.methods.extremes import find_extreme
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.training.losses import Distillation, make_loss
from cambrian.networks.training.precision import half_precision
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Sandwich:
    """`between` random architectures learn beside the largest and the smallest one."""

    between: Annotated[int, Span(0, 1000)] = 2

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'sandwich'")

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        shape = validation.batch(0, 0)[0].shape
        size = (int(shape[1]), int(shape[2]), int(shape[3]))
        largest, smallest = (find_extreme(supernet, draw, size, sign) for sign in (1, -1))
        loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        rule = SandwichLoss(loss, draw, largest, smallest, self.between)
        return GradientStep(supernet, recipe, rule)


@dataclass(frozen=True)
class SandwichLoss:
    """The loss of the largest architecture, with the gradient of the sum over all of a step."""

    loss: HeadsLoss
    draw: Draw
    largest: Architecture
    smallest: Architecture
    between: int

    def __call__(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        network.choose(self.largest)  # type: ignore[operator]
        teacher = _Recorded(self.loss, network)
        value = teacher(inputs, targets, moment)
        # Gradients add up over the backward passes, so that the activations of one path are in memory.
        torch.autograd.backward(value)
        first = moment.done * self.between
        *others, last = [*(self.draw(first + n) for n in range(self.between)), self.smallest]
        for path in others:
            torch.autograd.backward(self._imitate(network, path, inputs, teacher.logits))
        loss = self._imitate(network, last, inputs, teacher.logits)
        return loss + (value.detach() - loss.detach())  # the value of the first, the gradient of the last

    def _imitate(self, network: nn.Module, path: Architecture, inputs: Tensor, teacher: Tensor) -> Tensor:
        """The distance of a path from the teacher, without labels."""
        network.choose(path)  # type: ignore[operator]
        with half_precision(inputs.device):
            logits = first_head(network(inputs))
        return Distillation()(logits.float(), teacher)


class _Recorded:
    """The loss of a network that keeps its logits."""

    def __init__(self, loss: HeadsLoss, network: nn.Module) -> None:
        self._loss, self._network = loss, network
        self.logits = torch.empty(0)

    def __call__(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        def keep(module: nn.Module, given: object, output: Tensor) -> None:
            self.logits = first_head(output).detach().float()

        handle = self._network.register_forward_hook(keep)
        try:
            return self._loss(self._network, inputs, targets, moment)
        finally:
            handle.remove()
