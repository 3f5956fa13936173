"""SDARTS-RS: Chen & Hsieh, "Stabilizing Differentiable Architecture Search via Perturbation-based
Regularization" (ICML 2020). DARTS whose weights learn under gates that are perturbed at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class SDARTSRS(Deriving):
    """The perturbation grows linearly from `first_radius` to `last_radius`."""

    first_radius: Annotated[float, Span(0)] = 0.03
    last_radius: Annotated[float, Span(0)] = 0.3

    @staticmethod
    def paper() -> SDARTSRS:
        """50 epochs (Sec. 5.1)."""
        return SDARTSRS(epochs=50, chunks=10, gate_rate=3e-4)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "sdarts-rs", self.list_settings("first_radius", "last_radius")
