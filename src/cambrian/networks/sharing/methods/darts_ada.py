"""DARTS whose weights decay more from some epoch on: Zela et al., "Understanding and Robustifying
Differentiable Architecture Search" (ICLR 2020, arXiv 1909.09656), DARTS-ADA. From which, is the strategy's
to say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.darts import follow_order
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import POSITIVE, check_settings, check_truths

if TYPE_CHECKING:
    from torch import Tensor

    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Moment, Step


@dataclass(frozen=True)
class DARTSADA(GateSettings):
    """The weights decay by `factor` times as much as the recipe says, and by `rise` times as much once more
    from each of the epochs in `rises` on, counted from 0: all weights that decay, of which Muon's filters are
    none. With `second_order` gates follow the gradient through a step of the weights."""

    factor: Annotated[float, POSITIVE] = 1.0
    rise: Annotated[float, POSITIVE] = 3.0
    rises: tuple[int, ...] = ()
    second_order: bool = False

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'darts-ada'")
        check_truths(second_order=self.second_order)
        if any(epoch < 0 for epoch in self.rises):
            raise UsageError(
                f"supernet method 'darts-ada': rises are epochs from 0 on, got {list(self.rises)}"
            )

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        if not recipe.weight_decay:
            raise UsageError("supernet method 'darts-ada': weight_decay is 0, which no factor raises")
        decaying = replace(recipe, weight_decay=self.factor * recipe.weight_decay)
        rules = follow_order(self.second_order, recipe)
        return RisingDecay(self, rules, supernet, decaying, validation)

    def find_factor(self, epoch: int) -> float:
        """How many times as much as at first the weights decay in this epoch."""
        return self.rise ** sum(epoch >= begin for begin in self.rises)


class RisingDecay(GateStep):
    """A step whose weights decay by what its settings say of the epoch."""

    def __init__(self, settings: DARTSADA, *rest: Any) -> None:
        super().__init__(settings, *rest)
        self._find_factor = settings.find_factor

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        self._by_weights.scale_decay(self._find_factor(moment.epoch))
        return super().take(inputs, targets, moment)
