"""R-DARTS: Zela et al., "Understanding and Robustifying Differentiable Architecture Search" (ICLR 2020).
DARTS with weights that decay more, and an end before its collapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import POSITIVE
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class RDARTS(Deriving):
    """The weights decay by `factor` times as much as the recipe says."""

    factor: Annotated[float, POSITIVE] = 9.0
    stop_on_collapse: bool = True

    @staticmethod
    def paper() -> RDARTS:
        """Four searches of 50 epochs (Sec. 5.2)."""
        return RDARTS(epochs=50, chunks=10, gate_rate=3e-4, searches=4)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "r-darts", self.list_settings("factor")
