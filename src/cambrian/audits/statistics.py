"""Statistics of a shortcut's scores against the truth, each for any weights of the architectures, so that the
same function gives the value (equal weights) and its bootstrap distribution (Efron 1979).

Kendall's tau-b (Kendall 1945) and Spearman's rho are those of scipy at equal weights. An architecture that a
bootstrap draws twice forms no pair with itself: both coefficients leave tied pairs out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cambrian.referee.statistics import bootstrap_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 2_000
TOP = 1 / 3
"""The share of the best architectures among which agreement is looked at again: a choice is made there."""
FEWEST = 8
"""Architectures below which no interval is given: of 8, a bootstrap draws about 5 different ones."""
FEWEST_TOP = 5
"""Architectures of the top below which its agreement is not given."""

Statistic = Callable[["Floats"], "Floats"]
"""From weights [..., architectures] to values [...]."""


class Figure(msgspec.Struct, frozen=True):
    """A number and its 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        between = (
            "" if self.low is None or self.high is None else f" ({_short(self.low)}–{_short(self.high)})"
        )
        return f"{_short(self.value)}{between}"


def estimate(statistic: Statistic, count: int, level: float = 0.95) -> Figure:
    """The statistic of `count` architectures with its percentile interval."""
    if not count:
        return Figure(None)
    value = float(statistic(np.full((1, count), 1 / count))[0])
    if not math.isfinite(value):
        return Figure(None)
    draws = statistic(bootstrap_weights(count, RESAMPLES))
    draws = draws[np.isfinite(draws)]
    # A statistic that most resamples do not have says nothing about how it varies.
    if count < FEWEST or len(draws) < RESAMPLES / 2:
        return Figure(value)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Figure(value, float(low), float(high))


def kendall(x: Floats, y: Floats) -> Statistic:
    """Kendall's tau-b of two scores [n]."""
    signs_x, signs_y = _signs(x), _signs(y)
    both, some_x, some_y = signs_x * signs_y, np.abs(signs_x), np.abs(signs_y)

    def tau(weights: Floats) -> Floats:
        untied = _sum_pairs(weights, some_x) * _sum_pairs(weights, some_y)
        return _divide(_sum_pairs(weights, both), np.sqrt(untied))

    return tau


def spearman(x: Floats, y: Floats) -> Statistic:
    """Spearman's rank correlation of two scores [n]."""
    signs_x, signs_y = _signs(x), _signs(y)
    return lambda weights: _correlate(weights, weights @ signs_x.T, weights @ signs_y.T)


def kendall_at_the_top(x: Floats, y: Floats) -> Statistic:
    """Kendall's tau-b among the share TOP of architectures with the best truth y; ranks are those of the
    resample, so that its top is its own."""
    tau, above = kendall(x, y), (_signs(y) < 0).astype(float)

    def of_top(weights: Floats) -> Floats:
        total = weights.sum(axis=-1, keepdims=True)
        # The tolerance: a third of thirty weights of 1/30 must be ten of them, whatever their rounding.
        return tau(weights * (weights @ above.T < TOP * total - 1e-9))

    return of_top


def regret(x: Floats, y: Floats) -> Statistic:
    """The truth of the best architecture less that of the one with the best x; of several with the same x,
    their mean."""

    def missed(weights: Floats) -> Floats:
        drawn = weights > 0
        best = np.where(drawn, y, -np.inf).max(axis=-1)
        seen = np.where(drawn, x, -np.inf)
        chosen = weights * (seen == seen.max(axis=-1, keepdims=True))
        return np.asarray(best - (chosen @ y) / chosen.sum(axis=-1))

    return missed


def lean(x: Floats, y: Floats, feature: Floats) -> Statistic:
    """How far x favours architectures with much of the feature among those of equal truth: Spearman's partial
    rank correlation of x and the feature, given y (Kendall 1942). A coin's is 0, which the correlation of
    rank errors with a feature would not be."""
    signs = [_signs(values) for values in (x, feature, y)]

    def partial(weights: Floats) -> Floats:
        a, b, c = (weights @ each.T for each in signs)
        ab, ac, bc = (_correlate(weights, *pair) for pair in ((a, b), (a, c), (b, c)))
        # Nothing is left to correlate where the truth explains a side wholly.
        rest = np.clip(1 - ac**2, 0, None) * np.clip(1 - bc**2, 0, None)
        return _divide(ab - ac * bc, np.sqrt(np.where(rest > 1e-9, rest, 0)))

    return partial


def subtract(one: Statistic, other: Statistic) -> Statistic:
    """The difference of two statistics of the same architectures: their resamples are paired."""
    return lambda weights: one(weights) - other(weights)


def _signs(values: Floats) -> Floats:
    """signs[i, j] = sign(values[i] - values[j])."""
    signs: Floats = np.sign(values[:, None] - values[None, :])
    return signs


def _sum_pairs(weights: Floats, matrix: Floats) -> Floats:
    return np.asarray(((weights @ matrix) * weights).sum(axis=-1))


def _correlate(weights: Floats, a: Floats, b: Floats) -> Floats:
    """Pearson's correlation of a and b [..., n] under weights [..., n]."""
    total = weights.sum(axis=-1, keepdims=True)
    a = a - (weights * a).sum(axis=-1, keepdims=True) / total
    b = b - (weights * b).sum(axis=-1, keepdims=True) / total
    joint, of_a, of_b = ((weights * product).sum(axis=-1) for product in (a * b, a * a, b * b))
    # A constant side has a variance of rounding errors only.
    varied = np.where((of_a > 1e-12) & (of_b > 1e-12), of_a * of_b, 0)
    return _divide(joint, np.sqrt(varied))


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient; NaN for a denominator of zero."""
    valid = denominator > 0
    return np.where(valid, numerator / np.where(valid, denominator, 1), np.nan)


def _short(value: float) -> str:
    """
    >>> _short(0.594), _short(-0.04), _short(12.5)
    ('.59', '-.04', '12.5')
    """
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.3g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
