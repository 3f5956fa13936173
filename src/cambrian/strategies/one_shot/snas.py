"""SNAS: Xie et al., "SNAS: Stochastic Neural Architecture Search" (ICLR 2019). Weights and gates learn
together, by samples of the architecture that approach one-hot ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import POSITIVE
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class SNAS(Deriving):
    """The temperature of the samples falls linearly."""

    first_temperature: Annotated[float, POSITIVE] = 1.0
    last_temperature: Annotated[float, POSITIVE] = 0.03

    @staticmethod
    def paper() -> SNAS:
        """150 epochs (Sec. 3.1)."""
        return SNAS(epochs=150, chunks=15, gate_rate=3e-4)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "snas", self.list_settings("first_temperature", "last_temperature")
