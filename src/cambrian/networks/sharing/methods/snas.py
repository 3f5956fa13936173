"""A relaxed one-hot sample for each site: Xie et al., "SNAS: Stochastic Neural Architecture Search" (ICLR
2019, arXiv 1812.09926), Sec. 2.2 and 2.3: weights and gates learn from the same batch of the training part,
and the samples approach one-hot ones as the temperature falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from torch import Tensor

from cambrian.networks.measure import MEASURES
from cambrian.networks.sharing.methods.cost_step import CostStep, Priced
from cambrian.networks.sharing.methods.expected_cost import measure_costs
from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules, draw_gumbel
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import POSITIVE, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class SNAS(GateSettings):
    """The temperature falls linearly from `first_temperature` to `last_temperature`. `cost_weight` times the
    logarithm of the cost that the gates expect is added to the loss (0: nothing is), where `cost` is a
    measure: the paper's resource constraint (Sec. 2.4), in the released code's form by the probabilities."""

    first_temperature: Annotated[float, POSITIVE] = 1.0
    last_temperature: Annotated[float, POSITIVE] = 0.03
    cost: str = "macs"
    cost_weight: Annotated[float, Span(0)] = 0.0

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'snas'")
        MEASURES.make(self.cost)  # raises UnknownName

    def relax(self, logits: Logits, progress: Progress) -> Mixtures:
        tau = self.first_temperature + (self.last_temperature - self.first_temperature) * progress.share
        return {site: Weighted(sample_soft(logit, tau)) for site, logit in logits.items()}

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        rules = Rules(self.relax, one_level=True)
        if not self.cost_weight:
            return GateStep(self, rules, supernet, recipe, validation)
        costs = measure_costs(supernet, validation.batch(0, 0)[0][:1], self.cost)
        priced = Priced(costs, self.cost_weight, 0.0, "log")
        return CostStep(self, rules, priced, supernet, recipe, validation)


def sample_soft(logit: Tensor, temperature: float) -> Tensor:
    """A concrete sample: its largest part is each option as often as the softmax says, for all
    temperatures."""
    return ((logit + draw_gumbel(logit)) / temperature).softmax(0)
