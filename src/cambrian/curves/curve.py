"""A learning curve, and the distribution of a value that it has not reached yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cambrian.outliers import find_lowest

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALVINGS = 60
"""Of an interval in search of a quantile: below the last bit of any value."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The `values` float[n] after `steps` float[n], which ascend; higher is better. `description` float[m]
    are numbers of the architecture, as many for every curve, or none."""

    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    description: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.steps)

    def cut(self, count: int) -> Curve:
        """The first `count` points."""
        return Curve(self.steps[:count], self.values[:count], self.description)

    def reaches(self, last: float) -> bool:
        """Whether the training went on to step `last`."""
        return bool(len(self)) and bool(self.steps[-1] >= last)


@dataclass(frozen=True, eq=False)
class Forecast:
    """A mixture of normal distributions of these `means`, `deviations` and `weights`, each float[k]; without
    weights all count alike."""

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None

    @staticmethod
    def normal(mean: float, deviation: float) -> Forecast:
        return Forecast(np.array([mean]), np.array([max(deviation, 1e-9)]))

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The weights, which add up to 1."""
        weights = np.ones(len(self.means)) if self.weights is None else self.weights
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares

    @cached_property
    def mean(self) -> float:
        return float(self.shares @ self.means)

    @cached_property
    def deviation(self) -> float:
        # The variance of a mixture is that within its parts and that between them.
        spread = self.deviations**2 + (self.means - self.mean) ** 2
        return float(np.sqrt(self.shares @ spread))

    def exceeds(self, value: float) -> float:
        """The probability of more than `value`."""
        from scipy.special import ndtr

        return float(self.shares @ ndtr((self.means - value) / self.deviations))

    def quantile(self, share: float) -> float:
        """The value below which the distribution has this share, by bisection: a mixture has no closed
        form."""
        low = float((self.means - 40 * self.deviations).min())
        high = float((self.means + 40 * self.deviations).max())
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if 1 - self.exceeds(middle) >= share else (middle, high)
        return (low + high) / 2

    def log_density(self, value: float) -> float:
        """The logarithm of the density at `value`."""
        from scipy.special import logsumexp

        z = (value - self.means) / self.deviations
        logs = -0.5 * z**2 - np.log(self.deviations) - 0.5 * np.log(2 * np.pi)
        return float(logsumexp(logs, b=self.shares))

    def transform(self, zero: float, one: float) -> Forecast:
        """The distribution of zero + one * y."""
        return Forecast(zero + one * self.means, abs(one) * self.deviations, self.weights)


def list_complete(curves: Sequence[Curve], last: float) -> list[Curve]:
    """The curves of trainings that went on to step `last`."""
    return [curve for curve in curves if curve.reaches(last)]


def drop_exploded(curves: Sequence[Curve]) -> list[Curve]:
    """The curves without those that end far below where the others were then, as where a loss exploded: one
    of them would be the scale of all, and says nothing of a training that goes well."""
    begun = [curve for curve in curves if len(curve)]
    lowest = {step: _find_lowest_at(begun, step) for step in {float(curve.steps[-1]) for curve in begun}}
    return [curve for curve in begun if curve.values[-1] >= lowest[float(curve.steps[-1])]]


def _find_lowest_at(curves: Sequence[Curve], step: float) -> float:
    """The lowest of the values at a step that are not far out."""
    reached = [np.interp(step, curve.steps, curve.values) for curve in curves if curve.reaches(step)]
    return find_lowest(np.array(reached))
