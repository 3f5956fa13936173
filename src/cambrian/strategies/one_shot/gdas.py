"""GDAS: Dong & Yang, "Searching for a Robust Neural Architecture in Four GPU Hours" (CVPR 2019). One
candidate for each site is sampled and run, so that a step costs as much as one of a single network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import POSITIVE
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class GDAS(Deriving):
    """The temperature of the samples falls linearly. `released`: gates learn as in the released code."""

    first_temperature: Annotated[float, POSITIVE] = 10.0
    last_temperature: Annotated[float, POSITIVE] = 0.1
    released: bool = True

    @staticmethod
    def paper() -> GDAS:
        """250 epochs (Sec. 4.1)."""
        return GDAS(epochs=250, chunks=25, gate_rate=3e-4)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "gdas", self.list_settings("first_temperature", "last_temperature", "released")
