"""Support vector regression on the beginning of a curve and its architecture: Baker, Gupta, Raskar & Naik,
"Accelerating Neural Architecture Search using Performance Prediction" (ICLR 2018 workshop, arXiv 1705.10823).

A regression for every length of a beginning, on the trainings that went on to the end. Its forecast has the
spread of its errors on curves that it was not fitted to: these have longer tails than a normal distribution.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.curves.curve import Curve, Forecast, list_complete
from cambrian.errors import UsageError
from cambrian.randomness import stream
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

FOLDS = 3
USUAL = {"C": 1.0, "nu": 0.5, "gamma": "scale"}
LEAST = 1e-4
"""The least width of an error."""


@dataclass(frozen=True)
class SVR:
    """It reads `least` complete curves or more. Of `searches` settings that are drawn, beside the usual one,
    the best in cross-validation is taken. With `differences` it reads the first and second differences of
    the values, and not the best of them: `svr(paper)` does, and draws 1,000 settings."""

    least: Annotated[int, Span(2 * FOLDS, 10_000)] = 20
    searches: Annotated[int, Span(0, 10_000)] = 20
    differences: bool = False
    bounded: ClassVar[bool] = False

    @staticmethod
    def paper() -> SVR:
        return SVR(least=100, searches=1000, differences=True)

    def __post_init__(self) -> None:
        check_settings(self, "curve model 'svr'")

    @property
    def others(self) -> int:
        return self.least

    def start(self, others: Sequence[Curve], last: float, seed: int) -> Regressions:
        complete = list_complete(others, last)
        if len(complete) < self.least:
            raise UsageError(
                f"curve model 'svr' learns from complete curves, at least {self.least}, got {len(complete)}"
            )
        return Regressions(self, complete, seed)


@dataclass(frozen=True)
class Regressions:
    """`fitted` are the regressions so far, by the steps that they read."""

    settings: SVR
    complete: Sequence[Curve]
    seed: int
    fitted: dict[tuple[float, ...], Regression] = field(default_factory=dict)

    def predict(self, curve: Curve, last: float) -> Forecast:
        steps = tuple(curve.steps.tolist())
        if steps not in self.fitted:
            self.fitted[steps] = self._fit(curve)
        return self.fitted[steps].predict(curve)

    def _fit(self, curve: Curve) -> Regression:
        alike = [c for c in self.complete if np.array_equal(c.steps[: len(curve)], curve.steps)]
        if len(alike) < FOLDS:
            raise UsageError(f"{len(alike)} curves were measured at the steps of this one, expected {FOLDS}")
        read = list_features if self.settings.differences else list_points
        rows = np.stack([read(c.cut(len(curve))) for c in alike])
        ends = np.array([c.values[-1] for c in alike])
        return fit_regression(read, rows, ends, self.settings.searches, self.seed)


def list_points(curve: Curve) -> Values:
    """The values, the best, mean and deviation of them, and the description. On SpikeNAS-Bench these rank
    better than with the differences, which are mostly noise."""
    values = curve.values
    return np.concatenate([values, [values.max(), values.mean(), values.std()], curve.description])


def list_features(curve: Curve) -> Values:
    """The values, their first and second differences, their mean and deviation, and the description: e + (e -
    1) + (e - 2) + 2 numbers of e points, and those of the architecture."""
    values = curve.values
    differences = (np.diff(values), np.diff(values, n=2) if len(values) > 2 else np.empty(0))
    return np.concatenate([values, *differences, [values.mean(), values.std()], curve.description])


@dataclass(frozen=True)
class Regression:
    read: Callable[[Curve], Values]
    center: Values
    scale: Values
    mean: float
    unit: float
    machine: Any
    errors: Values

    def predict(self, curve: Curve) -> Forecast:
        row = (self.read(curve) - self.center) / self.scale
        mean = self.mean + self.unit * float(self.machine.predict(row[None])[0])
        # A kernel estimate: each error is as likely to come again, give or take (Silverman's rule).
        low, high = np.quantile(self.errors, [0.25, 0.75])
        width = max(0.9 * float(high - low) / 1.34 * len(self.errors) ** -0.2, LEAST)
        return Forecast(mean + self.errors, np.full(len(self.errors), width))


def fit_regression(
    read: Callable[[Curve], Values], rows: Values, ends: Values, searches: int, seed: int
) -> Regression:
    """The regression of `ends` on standardised `rows`, which `read` makes of curves."""
    center, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    mean, unit = float(ends.mean()), float(ends.std()) or 1.0
    x, y = (rows - center) / scale, (ends - mean) / unit
    rng = stream(seed, "svr", len(rows))
    parts = np.array_split(rng.permutation(len(x)), FOLDS)
    tried = [(_cross_validate(x, y, parts, settings), settings) for settings in _draw_settings(searches, rng)]
    # By the mean size: squares would let a single failed training decide.
    errors, best = min(tried, key=lambda pair: float(np.abs(pair[0]).mean()))
    return Regression(read, center, scale, mean, unit, _fit_machine(x, y, best), unit * errors)


def _draw_settings(searches: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The usual ones, and as many as are drawn from the paper's ranges."""
    drawn = [
        {"C": 10 ** rng.uniform(-5, 1), "gamma": 10 ** rng.uniform(-5, 1), "nu": rng.uniform(0.01, 1)}
        for _ in range(searches)
    ]
    return [USUAL, *drawn]


def _cross_validate(x: Values, y: Values, parts: Sequence[NDArray[Any]], settings: dict[str, Any]) -> Values:
    """The errors of each value, by a machine that was fitted without its part."""
    errors = np.empty(len(y))
    for part in parts:
        rest = np.setdiff1d(np.arange(len(y)), part)
        errors[part] = y[part] - _fit_machine(x[rest], y[rest], settings).predict(x[part])
    return errors


def _fit_machine(x: Values, y: Values, settings: dict[str, Any]) -> Any:
    from sklearn.svm import NuSVR

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a drawn setting may not converge: its error says so
        return NuSVR(kernel="rbf", max_iter=100_000, **settings).fit(x, y)
