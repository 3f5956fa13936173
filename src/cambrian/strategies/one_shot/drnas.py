"""DrNAS: Chen et al., "DrNAS: Dirichlet Neural Architecture Search" (ICLR 2021). The weights of candidates
are drawn from Dirichlet distributions, whose concentrations learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class DrNAS(Deriving):
    """`anchor` weighs the divergence from the uniform distribution."""

    anchor: Annotated[float, Span(0)] = 1e-3

    @staticmethod
    def paper() -> DrNAS:
        """100 epochs in the space of NAS-Bench-201 (App. A.4), without progressive stages."""
        return DrNAS(epochs=100, chunk=10, gate_rate=3e-4)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "drnas", self.list_settings("anchor")
