"""R-DARTS: Zela et al., "Understanding and Robustifying Differentiable Architecture Search" (ICLR 2020).
DARTS with weights that decay more, and an end before its collapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.errors import UsageError
from cambrian.settings import POSITIVE, check_truths
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class RDARTS(Deriving):
    """The weights decay by `factor` times as much as the recipe says; with `factors`, one for each of the
    `searches`, by another in each of them. The best of their architectures is the one that is best alone.
    With `second_order` gates follow the gradient through a step of the weights."""

    factor: Annotated[float, POSITIVE] = 9.0
    factors: tuple[float, ...] = ()
    second_order: bool = False
    stop_on_collapse: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_truths(second_order=self.second_order)
        right = all(POSITIVE.holds(factor) for factor in self.factors)
        if not right or len(self.factors) not in (0, self.searches):
            raise UsageError(
                f"strategy 'r-darts': factors are numbers above 0, one for each of {self.searches} searches,"
                f" or none, got {list(self.factors)}: give searches and as many factors, such as searches=2,"
                " factors=[3, 9]"
            )

    @staticmethod
    def paper() -> RDARTS:
        """Four searches of 50 epochs by the second order, whose weights decay by 1, 3, 9 and 27 times as
        much, of which the architecture that is best on the validation part is taken (R-DARTS (L2), Sec. 5.2).
        None of them stops early: that is the paper's DARTS-ES."""
        return RDARTS(
            epochs=50,
            chunks=10,
            gate_rate=3e-4,
            searches=4,
            factors=(1.0, 3.0, 9.0, 27.0),
            second_order=True,
            stop_on_collapse=False,
        )

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        order = ("second_order",) if self.second_order else ()
        return "r-darts", self.list_settings("factor", *order)

    def vary(self, search: int) -> dict[str, Any]:
        return {"factor": self.factors[search]} if self.factors else {}
