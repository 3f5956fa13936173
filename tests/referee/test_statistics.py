"""Tests and intervals against brute force, scipy and closed forms."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cambrian.referee.statistics import (
    bootstrap_weights,
    fewest_seeds,
    holm,
    improvement,
    interval,
    mean_ranks,
    wilcoxon,
)
from chance import assert_share
from reseeding import default_rng


def brute_wilcoxon(differences):
    """All signs that the differences might have had."""
    left = [d for d in differences if d]
    ranks = stats.rankdata(np.abs(left)) if left else np.zeros(0)
    seen = float(np.sum(np.sign(left) * ranks))
    sums = [float(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=len(left))]
    return seen, np.mean(np.abs(sums) >= abs(seen) - 1e-9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-4, 4), max_size=9))
def test_signed_ranks_with_ties_and_zeros(differences):
    """Statistic and p-value are those of enumerating every sign, whatever ties."""
    statistic, p = wilcoxon(np.array(differences, dtype=float))
    expected = brute_wilcoxon(differences)
    assert (statistic, p) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [6, 25, 100])
def test_signed_ranks_as_scipy(seeds):
    """Without ties, scipy's exact distribution."""
    differences = default_rng(seeds).normal(0.3, 1, seeds)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon(differences)[1] == pytest.approx(expected, rel=1e-9)


def test_many_signed_ranks_as_scipy():
    """Beyond what is counted, scipy's normal approximation, ties and all."""
    differences = default_rng(0).integers(-9, 11, 1000).astype(float)
    expected = stats.wilcoxon(differences, method="approx", correction=False).pvalue
    assert wilcoxon(differences)[1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.statistical
def test_signed_ranks_reject_as_often_as_they_say():
    """Of samples without an effect as many are rejected as of all signs of twenty ranks, which is a little
    less than 5 %; a test of one side called one of two would reject twice as many."""
    rng, ways = default_rng(1), np.ones(1)
    for rank in range(1, 21):  # of each sum of ranks, in how many ways it comes
        ways = np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))
    share = ways / 2**20
    tail = np.minimum(np.cumsum(share), np.cumsum(share[::-1])[::-1])
    size = share[2 * tail < 0.05].sum()
    assert 0.045 < size < 0.05
    rejected = sum(wilcoxon(rng.normal(size=20))[1] < 0.05 for _ in range(4000))
    assert_share(rejected, 4000, size, unlike=[2 * size])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0.001, 0.999))
def test_holm_rejects_as_its_closed_test(p, alpha):
    """Holm rejects a hypothesis where Bonferroni rejects every intersection that contains it."""
    every = range(len(p))
    subsets = [s for n in range(1, len(p) + 1) for s in itertools.combinations(every, n)]
    adjusted = holm(np.array(p))
    for i in every:
        closed = max(min(1.0, len(s) * min(p[j] for j in s)) for s in subsets if i in s)
        assert adjusted[i] == pytest.approx(closed)
        if abs(closed - alpha) > 1e-9:
            assert (adjusted[i] < alpha) == (closed < alpha)


def test_holm_takes_each_column_alone():
    """Further axes are families of their own."""
    p = default_rng(0).random((5, 3))
    assert np.allclose(holm(p), np.stack([holm(column) for column in p.T], axis=1))


def test_bootstrap_as_theory_and_scipy():
    """The interval of a mean of the 400 quantiles of a normal distribution is the mean within 1.96 standard
    errors; scipy's percentile bootstrap is the same."""
    values = stats.norm.ppf((np.arange(400) + 0.5) / 400, 3, 2)
    low, high = interval(values)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.06 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.06 * error)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=9999, rng=3)
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.1 * error)


def test_bootstrap_is_paired_over_budgets():
    """All columns are drawn with the same seeds: of a column and twice it, twice the interval."""
    values = default_rng(0).normal(size=(15, 1))
    low, high = interval(np.hstack([values, 2 * values]))
    assert np.allclose([low[1], high[1]], [2 * low[0], 2 * high[0]])


def test_resamples_are_draws_with_replacement():
    """Each sample weighs its seeds by wholes of 1/n, all together 1; every call gives the same."""
    weights = bootstrap_weights(7, 50)
    assert np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(np.rint(weights * 7), weights * 7)
    bootstrap_weights.cache_clear()
    assert np.array_equal(weights, bootstrap_weights(7, 50))


def test_improvement_as_mann_whitney():
    """Mann & Whitney's U as a share of all couples, draws counting one half."""
    rng = default_rng(4)
    a, b = rng.integers(0, 6, 30).astype(float), rng.integers(0, 5, 30).astype(float)
    found, low, high = improvement(a, b)
    assert found == pytest.approx(stats.mannwhitneyu(a, b).statistic / 900)
    assert low < found < high
    assert improvement(b, a)[0] == pytest.approx(1 - found)


def test_mean_ranks():
    """Rank 1 is the best of a seed; equals share."""
    scores = np.array([[3.0, 1.0], [2.0, 1.0], [1.0, 5.0]])
    assert mean_ranks(scores).tolist() == [(1 + 2.5) / 2, (2 + 2.5) / 2, (3 + 1) / 2]


@pytest.mark.parametrize("pairs", [1, 3, 6, 45])
def test_fewest_seeds(pairs):
    """So many seeds that all say the same are significant after correction, one fewer are not."""
    n = fewest_seeds(pairs, 0.05)
    assert pairs * wilcoxon(np.arange(1.0, n + 1))[1] <= 0.05
    assert pairs * wilcoxon(np.arange(1.0, n))[1] > 0.05
