"""A step of gates whose loss has the cost that they expect to pay as a part: see `expected_cost`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cambrian.networks.sharing.methods.expected_cost import ExpectedCost
from cambrian.networks.sharing.methods.gate_rules import Rules
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Moment


@dataclass(frozen=True)
class Priced:
    """The `costs` of all candidates, float[options] by site, and how they become a part of the loss: `form`
    "add", "mul" (see ProxylessNAS) or "log" (SNAS), by `weight` and `target` (0: what equal gates expect)."""

    costs: dict[str, Tensor]
    weight: float
    target: float
    form: str

    def set_target(self) -> ExpectedCost:
        """The cost with its target, by the costs as they are now."""
        cost = ExpectedCost(self.costs, self.weight, 1.0)
        start = float(cost.expect({site: torch.zeros_like(each) for site, each in self.costs.items()}))
        return replace(cost, target=self.target or max(start, 1e-12))


class CostStep:
    """A gate step with the expected cost in the gates' loss. The measured costs are a part of its state:
    measured again they would differ, and with them the gates of a resumed training."""

    def __init__(
        self,
        settings: GateSettings,
        rules: Rules,
        priced: Priced,
        supernet: Supernet,
        recipe: Recipe,
        validation: BatchStream,
    ) -> None:
        self._priced, self._costs = priced, priced.costs
        self._cost = priced.set_target()
        if priced.form == "add":
            rules = replace(rules, penalty=lambda *given: self._cost.penalise(*given))
        elif priced.form == "log":
            rules = replace(rules, penalty=lambda *given: self._cost.penalise_logarithm(*given))
        else:
            rules = replace(rules, scale=lambda logits: self._cost.scale(logits))
        self._inner = GateStep(settings, rules, supernet, recipe, validation)

    @property
    def prefix(self) -> bool:
        return self._inner.prefix

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        return self._inner.take(inputs, targets, moment)

    def gates(self) -> dict[str, list[float]]:
        return self._inner.gates()

    def data(self) -> dict[str, Any]:
        """With the cost that the gates expect in the end, and the target."""
        expected = float(self._cost.expect(self._inner.logits))
        return self._inner.data() | {"cost": {"expected": expected, "target": self._cost.target}}

    def state(self) -> dict[str, Tensor]:
        return self._inner.state() | {f"cost.{site}": cost for site, cost in self._costs.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for site, cost in self._costs.items():
            cost.copy_(tensors[f"cost.{site}"])
        self._cost = self._priced.set_target()
        self._inner.restore(tensors)
