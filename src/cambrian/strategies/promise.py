"""The promise of a fidelity: how good a network it is expected to find, by its cost and by how it ranks.

Of n networks whose measured values have the correlation r with their worth, the best by measurement is worth
r m(n) deviations more than a random one, m(n) being the expected maximum of n normal values (Cochran,
"Improvement by Means of Selection", 1951). Cheaper measurements have a larger n and a smaller r.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.effort import find_axis, set_axis
from cambrian.outcome import Fidelity
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Grows, know

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

PLANNED, SHORTER, FEWER, LONGER = "as planned", "half the epochs", "half the images", "twice the epochs"
POWER = 0.25
"""A shorter training has this power of its share of the cost as its rank correlation: on SpikeNAS-Bench
Spearman is .91, .78, .64 and .52 after 50, 25, 10 and 5 of 100 epochs, and this .84, .71, .56 and .47."""
AGAIN = 0.9
"""The rank correlation of two trainings at the same fidelity, the most that a measurement can have."""
WEIGHT = 8.0
"""Architectures that the tables count for, beside those of an audit, whose own correlation is of so few."""
POOL = 8
"""Random architectures for each one of a sample."""


@dataclass(frozen=True)
class Choice:
    """The fidelity of a search by name, with the promise of each that it might have had, the correlations
    that were measured, and how many times cheaper than the planned one it is."""

    name: str
    promises: Mapping[str, float] = field(default_factory=dict)
    correlations: Mapping[str, float] = field(default_factory=dict)
    saves: float = 1.0


def list_candidates(problem: Problem) -> dict[str, Fidelity]:
    """The fidelities that a search may have, by name, as far as its estimator can measure them."""
    planned = problem.fidelity
    candidates = {PLANNED: planned}
    if planned.epochs > 1:
        candidates[SHORTER] = set_axis(planned, "epochs", planned.epochs // 2)
    candidates[FEWER] = set_axis(planned, "fraction", planned.fraction / 2)
    candidates[LONGER] = set_axis(planned, "epochs", planned.epochs * 2)
    return {name: fidelity for name, fidelity in candidates.items() if _can_measure(problem, name, fidelity)}


def _can_measure(problem: Problem, name: str, fidelity: Fidelity) -> bool:
    """Whether the estimator has an axis for the fidelity, and on it that value."""
    if name == PLANNED:
        return True
    wanted = "fraction" if name == FEWER else "epochs"
    axis = find_axis(problem.axes, wanted)
    return axis is not None and (not axis.values or getattr(fidelity, wanted) in axis.values)


def draw_stratified(problem: Problem, count: int) -> tuple[Architecture, ...]:
    """`count` different architectures, of all levels of the space in proportion; fewer where there are not so
    many."""
    drawn = (sample(problem.space, stream(problem.seed, "audited", n)) for n in range(POOL * count))
    pool = list(dict.fromkeys(drawn))
    grows = know(problem.space, Grows)
    if grows is not None:
        pool.sort(key=grows.level)
    # One of each block of the ordered pool: systematic sampling.
    places = (np.arange(min(count, len(pool))) + 0.5) * len(pool) / min(count, len(pool))
    return tuple(pool[int(place)] for place in places)


def choose_fidelity(
    values: Mapping[str, Values], costs: Mapping[str, float], networks: int, costly: bool
) -> Choice:
    """The fidelity of the highest promise, by the `values` of the same architectures at each, NaN where one
    failed, and the `costs` of one measurement. `networks` are those that the budget has at the planned
    fidelity; with a budget that counts networks whatever they cost (not `costly`) there are as many at
    any."""
    truth = max(costs, key=lambda name: costs[name])
    correlations = {n: correlate(v, values[truth]) for n, v in values.items() if n != truth}
    promises = {}
    for name, cost in costs.items():
        prior = (cost / costs[truth]) ** POWER
        measured, count = correlations.get(name, (AGAIN, 0))
        rank = AGAIN if name == truth else (count * measured + WEIGHT * prior) / (count + WEIGHT)
        affordable = networks * costs[PLANNED] / cost if costly else networks
        promises[name] = rank * expect_maximum(affordable)
    best = max(promises, key=lambda name: (promises[name], -costs[name]))
    measured_ones = {name: round(value, 3) for name, (value, _) in correlations.items()}
    return Choice(best, promises, measured_ones, costs[PLANNED] / costs[best])


def correlate(values: Values, truth: Values) -> tuple[float, int]:
    """Spearman's rank correlation over what has both values, and over how many; 0 where all are equal.

    >>> correlate(np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 3.0, 9.0, 1.0]))
    (1.0, 3)
    """
    both = np.isfinite(values) & np.isfinite(truth)
    x, y = _rank(values[both]), _rank(truth[both])
    spread = float(np.sqrt((x**2).sum() * (y**2).sum())) if len(x) else 0.0
    return (float((x * y).sum()) / spread if spread else 0.0), int(both.sum())


def _rank(values: Values) -> Values:
    """Ranks about their mean, equal values sharing theirs."""
    below = (values[:, None] > values[None]).sum(1) + ((values[:, None] == values[None]).sum(1) - 1) / 2
    return np.asarray(below - below.mean()) if len(values) else np.zeros(0)


def expect_maximum(count: float) -> float:
    """The expected maximum of `count` standard normal values (Blom 1958, "Statistical Estimates and
    Transformed Beta-Variables": the quantile at (n - .375) / (n + .25)).

    >>> round(expect_maximum(10), 2), round(expect_maximum(1), 2)
    (1.55, 0.0)
    """
    count = max(1.0, count)
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
