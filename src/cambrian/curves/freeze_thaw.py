"""The forecasts of Swersky, Snoek & Adams, "Freeze-Thaw Bayesian Optimization" (arXiv 1406.3896): the process
over curves (`curve_process.py`) that also decides the strategy of that name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.curves.curve import Curve, Forecast
from cambrian.curves.curve_process import Parameters, condition, fit_parameters
from cambrian.curves.describing import measure_distances
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]


@dataclass(frozen=True)
class FreezeThaw:
    """A curve is read at `points` steps, evenly from the first to the last of a training. The fit of the
    process takes at most `fit` iterations. It reads other curves whether complete or not; without any the
    parameters are those of the prior."""

    points: Annotated[int, Span(2, 1000)] = 20
    fit: Annotated[int, Span(1, 1000)] = 25
    bounded: ClassVar[bool] = False
    others: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_settings(self, "curve model 'freeze-thaw'")

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Process:
        grid = last * np.arange(1, self.points + 1) / self.points
        read = [read_points(curve, grid) for curve in others if len(curve)]
        pool = np.concatenate(read) if read else np.zeros(1)
        unit = Unit(float(pool.mean()), float(pool.std()) or 1.0)
        curves = [unit.shrink(values) for values in read]
        descriptions = _stack([curve for curve in others if len(curve)])
        parameters = Parameters()
        if len(curves) > 2:
            parameters = fit_parameters(parameters, measure_distances(descriptions), curves, self.fit)
        return Process(grid, unit, curves, descriptions, parameters)


@dataclass(frozen=True)
class Unit:
    """The value that is 0, and the difference that is 1, in the process."""

    zero: float
    one: float

    def shrink(self, values: Values) -> Values:
        return (values - self.zero) / self.one


@dataclass(frozen=True)
class Process:
    grid: Values
    unit: Unit
    curves: Sequence[Values]
    descriptions: Values
    parameters: Parameters

    def predict(self, curve: Curve, last: float) -> Forecast:
        own = self.unit.shrink(read_points(curve, self.grid))
        described = np.concatenate([self.descriptions, curve.description[None]]) if self.curves else None
        distances = np.zeros((1, 1)) if described is None else measure_distances(described)
        posterior = condition(self.parameters, distances, [*self.curves, own])
        mean, variance, _ = posterior.predict(len(self.curves), len(self.grid))
        return Forecast.normal(mean, float(np.sqrt(variance))).transform(self.unit.zero, self.unit.one)


def read_points(curve: Curve, grid: Values) -> Values:
    """The values at the steps of the grid that the curve came to, by interpolation; the last value alone of a
    curve that did not come to the first."""
    reached = grid[grid <= curve.steps[-1] + 1e-9]
    return np.interp(reached, curve.steps, curve.values) if len(reached) else curve.values[-1:]


def _stack(curves: Sequence[Curve]) -> Values:
    return np.stack([curve.description for curve in curves]) if curves else np.empty((0, 0))
