"""All sub-networks at once: Saxena & Verbeek, "Convolutional Neural Fabrics" (NIPS 2016, arXiv 1606.02492),
Sec. 3.2. Every step trains the one network that contains all others; where its weights end up small, a part
is not needed (Sec. 4.2), so the method leaves the strength of every input beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, SomeOf
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Named
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class Whole:
    """Trains the architecture in which every question of several options is answered by all of them; other
    questions are answered as the first drawn architecture answers them."""

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> WholeStep:
        return WholeStep(supernet, recipe, find_whole(draw))


class WholeStep:
    """A gradient step of one architecture, always the same."""

    def __init__(self, supernet: Supernet, recipe: Recipe, whole: Architecture) -> None:
        self._supernet, self._whole = supernet, whole
        self._loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        self._inner = GradientStep(supernet, recipe, self._measure)

    @property
    def prefix(self) -> bool:
        return self._inner.prefix

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        return self._inner.take(inputs, targets, moment)

    def _measure(self, network: Any, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        self._supernet.choose(self._whole)
        return self._loss(network, inputs, targets, moment)

    def data(self) -> dict[str, Any]:
        return {"strengths": measure_strengths(self._supernet)}

    def state(self) -> dict[str, Tensor]:
        return self._inner.state()

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._inner.restore(tensors)


def find_whole(draw: Draw) -> Architecture:
    """The architecture of all options."""
    rng = draw.stream(0)

    def decide(choice: Choice) -> Answer:
        return choice.options if isinstance(choice, SomeOf) else choice.draw(rng)

    return draw.walk(decide)


def measure_strengths(supernet: Supernet) -> Mapping[str, Mapping[str, float]]:
    """The mean of the squared weights of each option of a question of several (Sec. 4.2)."""
    named = [m for m in supernet.modules() if isinstance(m, Named) and m.path in supernet.choices]
    return {
        switch.path: {name: _mean_square(part) for name, part in switch.candidates.items()}
        for switch in named
    }


def _mean_square(part: torch.nn.Module) -> float:
    weights = torch.cat([p.detach().flatten() for p in part.parameters()])
    return float(weights.square().mean())
