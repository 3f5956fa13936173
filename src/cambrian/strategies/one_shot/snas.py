"""SNAS: Xie et al., "SNAS: Stochastic Neural Architecture Search" (ICLR 2019). Weights and gates learn
together, by samples of the architecture that approach one-hot ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import POSITIVE, Span
from cambrian.strategies.one_shot.costs import check_cost
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class SNAS(Deriving):
    """The temperature of the samples falls linearly. `cost_weight` times the logarithm of the cost that gates
    expect is added to their loss (0: nothing is); `cost` is a measure, such as macs or latency. The gradient
    of gates is clipped to the norm `gate_clip` (0: not clipped)."""

    first_temperature: Annotated[float, POSITIVE] = 1.0
    last_temperature: Annotated[float, POSITIVE] = 0.03
    cost: str = "macs"
    cost_weight: Annotated[float, Span(0)] = 0.0
    gate_clip: Annotated[float, Span(0)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cost(self.cost)

    @staticmethod
    def paper() -> SNAS:
        """150 epochs (Sec. 3.1), with the mild resource constraint, which weighs .0015 (the released
        code): there on the sum of weights, operations and memory accesses, here on `cost`. The released code
        clips the gradient of gates to 10, apart from that of the weights."""
        return SNAS(epochs=150, chunks=15, gate_rate=3e-4, cost_weight=1.5e-3, gate_clip=10.0)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        priced = ("cost", "cost_weight") if self.cost_weight else ()
        clipped = ("gate_clip",) if self.gate_clip else ()
        return "snas", self.list_settings("first_temperature", "last_temperature", *priced, *clipped)
