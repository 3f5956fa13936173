"""PNAS's accounting against the paper's tables, matching against brute force."""

import numpy as np
import pytest

from cambrian.referee.efficiency import RESAMPLES, Effort, match, top_means
from cambrian.referee.statistics import bootstrap_weights
from reseeding import default_rng

PNAS = Effort(1160, 0.9e6)


@pytest.mark.parametrize(
    ("top", "models", "in_models", "in_examples"),
    [(1, 5808, 5.0, 8.2), (5, 4100, 3.5, 6.8), (25, 3654, 3.2, 6.4)],
)
def test_table_2(top, models, in_models, in_examples):
    """PNAS's Table 2: NAS with reinforcement learning reranks 250 models for 300 epochs."""
    found = PNAS.speed_up(Effort(models, 0.9e6, 250, 13.5e6))
    assert tuple(round(f + 1e-9, 1) for f in found) == (in_models, in_examples)


@pytest.mark.parametrize(
    ("effort", "billions"),
    [
        (Effort(20_000, 0.9e6, 250, 13.5e6), 21.4),  # NASNet
        (Effort(7_000, 5.12e6), 35.8),  # hierarchical evolution
        (Effort(27_000, 2.25e6, 100, 27e6), 63.5),  # AmoebaNet-B
        (Effort(20_000, 1.13e6, 100, 27e6), 25.3),  # AmoebaNet-A; the paper prints 25.2
        (PNAS, 1.0),
    ],
)
def test_table_3(effort, billions):
    """PNAS's Table 3: the examples every published search saw."""
    assert effort.cost / 1e9 == pytest.approx(billions, abs=0.051)


def test_top_means_against_sorting():
    """After every model the mean of the best so far; models without a value are nowhere among them."""
    values = default_rng(0).random(40)
    values[[0, 7, 8]] = np.nan
    for top in (1, 5, 25):
        for n, mean in enumerate(top_means(values, top), start=1):
            best = sorted(v for v in values[:n] if v == v)[::-1][:top]
            assert np.isnan(mean) if len(best) < top else mean == pytest.approx(np.mean(best))


def test_match_against_counting():
    """The first number of models at which the means meet, and the bootstrap's quantiles of the same."""
    rng = default_rng(1)
    curves = np.maximum.accumulate(rng.random((6, 30)), axis=1)
    targets = np.full(6, 0.9) + 0.02 * rng.random(6)

    def counted(weights):
        for n in range(30):
            if sum(w * c for w, c in zip(weights, curves[:, n])) >= sum(
                w * t for w, t in zip(weights, targets)
            ):
                return n + 1
        return np.inf

    found = match(curves, targets)
    assert found.models == counted(np.full(6, 1 / 6))
    several = sorted(counted(weights) for weights in bootstrap_weights(6, RESAMPLES))
    assert found.low == several[round(0.025 * (RESAMPLES - 1))]
    assert found.high == several[round(0.975 * (RESAMPLES - 1))]


def test_what_is_never_reached_takes_for_ever():
    """A search that stays worse has no number of models."""
    never = match(np.zeros((3, 5)), np.ones(3))
    assert (never.models, never.low, never.high) == (np.inf, np.inf, np.inf)
