"""Mixtures of all candidates by softmax: Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search"
(ICLR 2019, arXiv 1806.09055), Algorithm 1, in its first-order form or with the gradient through one step of
the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.gate_rules import Rules
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.methods.hypergradient import first_order, second_order
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import check_settings, check_truths

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class DARTS(GateSettings):
    """With `second_order` the gradient of the gates is that through a step of the weights (Sec. 2.3)."""

    second_order: bool = False

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'darts'")
        check_truths(second_order=self.second_order)

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return GateStep(self, follow_order(self.second_order, recipe), supernet, recipe, validation)


def follow_order(second: bool, recipe: Recipe) -> Rules:
    """The rules of DARTS in that order. Raises UsageError for an optimiser through whose step there is no
    gradient."""
    if second and recipe.optimiser != "sgd":
        raise UsageError(
            "the second order of darts is the gradient through a step of sgd: take the optimiser sgd, got"
            f" {recipe.optimiser!r}"
        )
    return Rules(gradient=second_order if second else first_order)
