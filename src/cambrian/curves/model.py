"""The contract of a curve model, which predicts the final value of a training from the beginning of its
curve.

A model is a value of settings. Started on the curves of other trainings it gives an `Extrapolator`, which
predicts any number of curves. Neither ever changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from cambrian.curves.curve import Curve, Forecast


@runtime_checkable
class Extrapolator(Protocol):
    """A curve model with all that it learned from other curves."""

    def predict(self, curve: Curve, last: float) -> Forecast:
        """The distribution of the value after step `last`, from the points of `curve`, at least one."""
        ...


@runtime_checkable
class CurveModel(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    @property
    def bounded(self) -> bool:
        """Whether it reads values as shares from 0 to 1."""
        ...

    @property
    def others(self) -> int:
        """The number of complete curves of other trainings without which it cannot predict."""
        ...

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Extrapolator:
        """The model after reading the curves of other trainings, complete to step `last` or not. `seed` names
        its random draws: the same curves give the same forecasts."""
        ...
