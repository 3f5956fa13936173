"""MaskConnect: Ahmed & Torresani, "MaskConnect: Connectivity Learning by Gradient Descent" (ECCV 2018). Which
inputs a module reads is learned as a binary mask of K ones, drawn by real-valued gates at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class MaskConnect(Deriving):
    """`fan_in` inputs of a module are active at a step (K in the paper)."""

    fan_in: Annotated[int, Span(1, 1000)] = 2

    @staticmethod
    def paper() -> MaskConnect:
        """A fan-in of four, one of those that the paper tries (Sec. 4), and the 300 epochs of ResNeXt on
        CIFAR (Xie et al. 2017, Sec. 5), whose networks it trains."""
        return MaskConnect(fan_in=4, epochs=300)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "maskconnect", self.list_settings("fan_in")
