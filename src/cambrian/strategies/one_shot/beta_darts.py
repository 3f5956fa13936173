"""beta-DARTS: Ye et al., "beta-DARTS: Beta-Decay Regularization for Differentiable Architecture Search" (CVPR
2022). DARTS with a penalty that keeps the logits of all options close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class BetaDARTS(Deriving):
    """`beta` is the weight of the penalty in the last epoch."""

    beta: Annotated[float, Span(0)] = 1.0

    @staticmethod
    def paper() -> BetaDARTS:
        """50 epochs in which the weight grows to 50 (Sec. 4.1)."""
        return BetaDARTS(epochs=50, chunks=10, gate_rate=3e-4, beta=50.0)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "beta-darts", self.list_settings("beta")
