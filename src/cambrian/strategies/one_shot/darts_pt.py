"""DARTS-PT: Wang et al., "Rethinking Architecture Selection in Differentiable NAS" (ICLR 2021). The strongest
operation is the one without which the trained supernet loses most, and not the one with the largest gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import COUNT, check_truths
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class DARTSPT(Deriving):
    """In the second part of the training a site is decided every `tuning` epochs. With `blank` gates do not
    learn before that."""

    tuning: Annotated[int, COUNT] = 1
    blank: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_truths(blank=self.blank)

    @staticmethod
    def paper() -> DARTSPT:
        """In the space of NAS-Bench-201 100 epochs of DARTS, then a decision every five, 25 epochs of them
        (the released code)."""
        return DARTSPT(epochs=126, chunks=21, gate_rate=3e-4, tuning=5)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "darts-pt", self.list_settings("tuning", "blank")
