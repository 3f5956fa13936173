"""Statistics of searches repeated under many seeds.

Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets" (JMLR 2006): mean ranks and
signed-rank tests, here with seeds as blocks. Agarwal et al., "Deep Reinforcement Learning at the Edge of
the Statistical Precipice" (NeurIPS 2021): bootstrap intervals and the probability of improvement.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.outliers import find_lowest
from cambrian.randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 10_000
DIGITS = 11
EXACT = 300
"""The most pairs for which the distribution of the rank sum is counted; with more it is as good as normal."""


def wilcoxon(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The signed-rank test (Wilcoxon 1945) of `differences` [n] of pairs: the rank sum of the positive
    less that of the negative, and the two-sided p-value. Pairs without a difference are left out. The
    distribution is exact with ties too: under the null hypothesis each difference could have had the other
    sign."""
    from scipy import stats

    differences = differences[differences != 0]
    if not len(differences):
        return 0.0, 1.0
    ranks = stats.rankdata(np.abs(differences))
    statistic = float(np.sum(np.sign(differences) * ranks))
    if len(ranks) > EXACT:
        return statistic, 2 * float(stats.norm.sf(abs(statistic) / math.sqrt(np.sum(ranks**2))))
    # Twice the ranks are integers: those of ties are halves.
    return statistic, _tail(np.rint(2 * ranks).astype(int), round(2 * abs(statistic)))


def _tail(ranks: NDArray[Any], statistic: int) -> float:
    """The probability that a sum of `ranks`, integers [n], each with a sign by the toss of a coin, is at
    least `statistic` away from zero."""
    total = int(ranks.sum())
    chance = np.zeros(total + 1)  # of each sum of those with a positive sign
    chance[0] = 1.0
    # One rank at a time: each sum stays with a negative sign, and moves up by the rank with a positive one.
    for rank in ranks.tolist():
        shifted = np.zeros_like(chance)
        shifted[rank:] = chance[: total + 1 - rank]
        chance = (chance + shifted) / 2
    sums = 2 * np.arange(total + 1) - total
    return min(1.0, float(chance[np.abs(sums) >= statistic].sum()))


def round_ties(differences: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The differences of `scores` without the rounding of floats, so that equal ones tie: to eleven digits of
    the largest score, whatever their unit is. One that is far out, as a loss that exploded, is not the
    largest: beside a billion the differences of all others would be ties.

    >>> rounded = round_ties(np.array([0.3 - 0.2 - 0.1, 94.25 - 94.24]), np.array([94.25]))
    >>> np.abs(rounded).round(12).tolist()
    [0.0, 0.01]
    """
    largest = -find_lowest(-np.abs(scores).ravel()) if scores.size else 0.0
    if not largest > 0:
        return differences
    unit = 10.0 ** min(math.floor(math.log10(largest)) + 1, 308)
    if not unit > 0:
        return differences
    with np.errstate(over="ignore"):  # of what is far out
        rounded = np.round(differences / unit, DIGITS) * unit
    return np.where(np.isfinite(rounded), rounded, differences)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values [tests, ...] adjusted over the first axis (Holm, "A Simple Sequentially Rejective Multiple
    Test Procedure", 1979): those below alpha may be rejected together with an error rate of alpha."""
    count = len(p)
    order = np.argsort(p, axis=0, kind="stable")
    factors = np.arange(count, 0, -1).reshape(-1, *[1] * (p.ndim - 1))
    # The running maximum: a larger p-value must not be adjusted to a smaller one.
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, 0) * factors, axis=0)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), 0)
    return adjusted


@lru_cache(maxsize=2)
def bootstrap_weights(seeds: int, times: int = RESAMPLES) -> NDArray[np.float64]:
    """Weights [times, seeds] of bootstrap samples (Efron 1979): how often each seed was drawn, of all
    draws. Always the same, so that comparing twice gives the same figures."""
    counts = stream(0, "bootstrap", seeds).multinomial(seeds, np.full(seeds, 1 / seeds), times)
    weights: NDArray[np.float64] = counts / seeds
    weights.flags.writeable = False
    return weights


def interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[NDArray[Any], NDArray[Any]]:
    """The percentile bootstrap's confidence interval of the mean over the first axis of
    `values` [seeds, ...]."""
    flat = values.reshape(len(values), -1)
    edges = np.quantile(bootstrap_weights(len(flat)) @ flat, [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = edges.reshape(2, *values.shape[1:])
    return low, high


def improvement(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float, float]:
    """The probability that a search with scores like `a` [seeds] ends better than one with scores like
    `b` [seeds], a draw counting one half (Mann & Whitney 1947), and its 95 % bootstrap interval."""
    # Every search of one against every search of the other: seeds do not pair the architectures found.
    better = (np.sign(a[:, None] - b[None, :]) + 1) / 2
    weights = bootstrap_weights(len(a))
    samples = np.einsum("bi,ij,bj->b", weights, better, weights, optimize=True)
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(better.mean()), float(low), float(high)


def mean_ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `scores` [strategies, seeds]: the rank of each strategy, 1 being the best of a seed and equals
    sharing theirs, on average over the seeds."""
    from scipy import stats

    return np.asarray(stats.rankdata(-scores, axis=0).mean(axis=1))


def fewest_seeds(pairs: int, alpha: float) -> int:
    """The least seeds with which any of so many `pairs` of strategies can be told apart, even where one is
    better under every seed."""
    # All n differences of one sign have p = 2 / 2^n, which Holm multiplies by the number of pairs.
    return math.ceil(1 + math.log2(pairs / alpha))
