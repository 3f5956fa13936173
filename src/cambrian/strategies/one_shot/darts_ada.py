"""DARTS-ADA: Zela et al., "Understanding and Robustifying Differentiable Architecture Search" (ICLR 2020).
A training that collapses is taken back, and goes on with weights that decay more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from cambrian.settings import POSITIVE, Span, check_truths
from cambrian.strategies.one_shot.deriving import Deriving, State
from cambrian.strategies.one_shot.training import Training

REACH = 5
"""Epochs before the sign of a collapse to which a training is taken back at most."""


@dataclass(frozen=True)
class DARTSADA(Deriving):
    """The weights decay by `factor` times as much as the recipe says. At a sign of collapse the training is
    taken back to the last part before it, and goes on with a decay that is `rise` times as high, at most
    `most_rises` times; with the highest one it goes on to its end (Sec. 5.3). What was taken back is trained
    in vain: up to as many epochs as the search has, after which a collapse is answered no more. Parts of one
    epoch lose the fewest. With `second_order` gates follow the gradient through a step of the weights."""

    chunks: Annotated[int, Span(1, 1000)] = 1000
    factor: Annotated[float, POSITIVE] = 1.0
    rise: Annotated[float, POSITIVE] = 3.0
    most_rises: Annotated[int, Span(0, 100)] = 4
    second_order: bool = False
    stop_on_collapse: bool = True
    answers_collapse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_truths(second_order=self.second_order)

    @staticmethod
    def paper() -> DARTSADA:
        """50 epochs by the second order; the decay rises from 3e-4 to 243e-4 by factors of 3."""
        return DARTSADA(epochs=50, gate_rate=3e-4, second_order=True)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        order = ("second_order",) if self.second_order else ()
        return "darts-ada", self.list_settings("factor", "rise", *order)

    def vary_training(self, training: Training) -> dict[str, Any]:
        return {"rises": list(training.rises)} if training.rises else {}

    def answer_collapse(self, training: Training, epochs: int) -> Training | None:
        if training.late:
            return None
        before = training.data["collapse"]["before"]
        spent = training.lost + training.count_lost(before) > epochs
        if spent or len(training.rises) == self.most_rises:
            return None if training.ended else training
        return training.take_back(before)

    def keeps(self, state: State) -> list[int]:
        """The parts to which collapses may yet lead back, one after the other."""
        training = state.training
        parts = [trial for trial in (*training.earlier, training.last) if trial is not None]
        if not parts:
            return []
        reach = REACH * (self.most_rises - len(training.rises))
        certain = sum(trial.fidelity.epochs <= parts[-1].fidelity.epochs - reach for trial in parts)
        return [trial.number for trial in parts[max(0, certain - 1) :]]
