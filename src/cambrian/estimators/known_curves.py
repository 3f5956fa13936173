"""The curves that a job may learn from, in the unit of curve models: higher is better, and from 0 to 1 where
the model reads shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cambrian.curves.curve import Curve, Forecast
from cambrian.curves.describing import describe_architectures
from cambrian.effort import STOPPED
from cambrian.errors import UsageError
from cambrian.estimators.job import Job
from cambrian.outcome import Done, Point, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Unit:
    """`zero` is the user's value that is 0 for a model, and `one` the difference that is 1; negative where
    lower is better. With `bounded` a value is refused that is not from 0 to 1 then."""

    zero: float
    one: float
    bounded: bool

    @staticmethod
    def of(low: float, high: float, minimize: bool, bounded: bool) -> Unit:
        if not bounded:
            return Unit(0.0, -1.0 if minimize else 1.0, False)
        return Unit(high, low - high, True) if minimize else Unit(low, high - low, True)

    def read(self, values: Sequence[float]) -> NDArray[np.float64]:
        """Raises UsageError for a value out of bounds."""
        read: NDArray[np.float64] = (np.array(values, np.float64) - self.zero) / self.one
        outside = np.flatnonzero((read < -1e-6) | (read > 1 + 1e-6))
        if self.bounded and len(outside):
            low, high = sorted((self.zero, self.zero + self.one))
            raise UsageError(
                f"estimator 'extrapolated': values are from {low:g} to {high:g}, got {values[outside[0]]:g}:"
                " give the least and the highest value as low and high, or another model, such as svr"
            )
        return np.clip(read, 0.0, 1.0) if self.bounded else read

    def write(self, forecast: Forecast) -> Forecast:
        """The forecast in the user's unit."""
        return forecast.transform(self.zero, self.one)


def value_name(metrics: dict[str, float], estimator: object) -> str:
    """The metric of a point that is the value. Raises UsageError where it cannot be told."""
    for name in ("value", getattr(estimator, "objective", "")):
        if name in metrics:
            return str(name)
    if len(metrics) == 1:
        return next(iter(metrics))
    raise UsageError(
        "estimator 'extrapolated': a curve's points have the metric 'value', got"
        f" {', '.join(metrics) or 'none'}"
    )


def list_known(job: Job) -> list[Trial]:
    """The trials with a curve that were measured as this job is: at the same fidelity, by the same
    estimator."""
    return [
        trial
        for trial in job.history
        if isinstance(trial.outcome, Done)
        and trial.outcome.curve
        and trial.kind == "trial"
        and trial.fidelity == job.fidelity
        and trial.estimator == job.request.estimator
    ]


def is_whole(trial: Trial) -> bool:
    """Whether a trial was measured to its end, so that its value is not a forecast."""
    return isinstance(trial.outcome, Done) and STOPPED not in trial.outcome.data


def read_curve(points: Sequence[Point], name: str, unit: Unit, described: NDArray[np.float64]) -> Curve:
    steps = np.array([point.step for point in points], np.float64)
    return Curve(steps, unit.read([point.metrics[name] for point in points]), described)


def read_trials(
    trials: Sequence[Trial], job: Job, name: str, unit: Unit
) -> tuple[list[Curve], NDArray[np.float64]]:
    """The curves of the trials, and the description of the job's architecture in the same numbers."""
    described = describe_architectures([*(t.architecture for t in trials), job.architecture])
    curves = []
    for trial, numbers in zip(trials, described[:-1], strict=True):
        assert isinstance(trial.outcome, Done)
        points = [point for point in trial.outcome.curve if name in point.metrics]
        curve = read_curve(points, name, unit, numbers)
        if is_whole(trial) and len(curve):
            # The outcome may be of the best epoch: that is to be predicted, and not the last point.
            curve.values[-1] = unit.read([trial.outcome.value])[0]
        curves.append(curve)
    return curves, described[-1]
