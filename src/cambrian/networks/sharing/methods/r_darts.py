"""DARTS with stronger regularisation of the weights: Zela et al., "Understanding and Robustifying
Differentiable Architecture Search" (ICLR 2020, arXiv 1909.09656), Sec. 5: the solutions become flatter, and
the derived architecture loses less by being discrete. Its early stop is the strategy's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from cambrian.networks.sharing.methods.darts import follow_order
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import POSITIVE, check_settings, check_truths

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class RDARTS(GateSettings):
    """The weights decay by `factor` times as much as the recipe says (the paper tries 1, 3, 9, 27 and 81, in
    units of 3e-4). With `second_order` gates follow the gradient through a step of the weights."""

    factor: Annotated[float, POSITIVE] = 9.0
    second_order: bool = False

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'r-darts'")
        check_truths(second_order=self.second_order)

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        decaying = replace(recipe, weight_decay=self.factor * recipe.weight_decay)
        return GateStep(self, follow_order(self.second_order, recipe), supernet, decaying, validation)
