"""DARTS: Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019). All candidates are
mixed by the softmax of their gates, which learn on the validation part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class DARTS(Deriving):
    """With `second_order` gates follow the gradient through a step of the weights (Sec. 2.3)."""

    second_order: bool = False

    @staticmethod
    def paper() -> DARTS:
        """Four searches of 50 epochs by the second order, of which the best is kept (Sec. 3.1.1)."""
        return DARTS(epochs=50, chunks=10, gate_rate=3e-4, searches=4, second_order=True)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "darts", self.list_settings("second_order")
