"""Forecasts that any model has to beat: the last value, the best so far, and the last with the mean gain of
other curves from there on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cambrian.curves.curve import Curve, Forecast, list_complete

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 3
"""Complete curves from which on a forecast's errors on them are its deviation."""
LEAST = 1e-3
"""The least deviation."""


@dataclass(frozen=True)
class LastValue:
    """The last value."""

    bounded: ClassVar[bool] = False
    others: ClassVar[int] = 0

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Repeating:
        return Repeating(lambda curve: float(curve.values[-1]), list_complete(others, last), gains=False)


@dataclass(frozen=True)
class BestSoFar:
    """The highest value so far, which on noisy curves ranks better than the last."""

    bounded: ClassVar[bool] = False
    others: ClassVar[int] = 0

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Repeating:
        return Repeating(lambda curve: float(curve.values.max()), list_complete(others, last), gains=False)


@dataclass(frozen=True)
class MeanGain:
    """The last value and the mean gain of other curves from the same step on."""

    bounded: ClassVar[bool] = False
    others: ClassVar[int] = 1

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Repeating:
        return Repeating(lambda curve: float(curve.values[-1]), list_complete(others, last), gains=True)


@dataclass(frozen=True)
class Repeating:
    """The value that `read` gives, with the mean gain of the `complete` curves if `gains`."""

    read: Callable[[Curve], float]
    complete: Sequence[Curve]
    gains: bool

    def predict(self, curve: Curve, last: float) -> Forecast:
        gains = self._measure_gains(float(curve.steps[-1]))
        value, gain = self.read(curve), float(gains.mean()) if self.gains and len(gains) else 0.0
        if len(gains) < FEW:
            return Forecast.normal(value + gain, _guess_deviation(curve, last))
        return Forecast.normal(value + gain, max(float(np.sqrt(np.mean((gains - gain) ** 2))), LEAST))

    def _measure_gains(self, step: float) -> NDArray[np.float64]:
        """Of the complete curves: the end less the value that is read at this step."""
        begun = [curve.cut(int(np.searchsorted(curve.steps, step, "right"))) for curve in self.complete]
        pairs = zip(self.complete, begun, strict=True)
        return np.array([curve.values[-1] - self.read(part) for curve, part in pairs if len(part)])


def _guess_deviation(curve: Curve, last: float) -> float:
    """That of a walk whose steps are those of the curve, for as long as is left."""
    moves = np.diff(curve.values)
    each = float(np.sqrt(np.mean(moves**2))) if len(moves) else 0.1
    pace = float(curve.steps[-1]) / len(curve)
    return max(each * float(np.sqrt(max(last - float(curve.steps[-1]), 0.0) / pace)), LEAST)
