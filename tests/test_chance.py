"""The checks of what is drawn, against enumeration: how often they are wrong, and that they catch samplers which
are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, uniform

import chance
from chance import FALSE_ALARM, MISSED, assert_drawn, assert_even, assert_learns, assert_spread
from reseeding import default_rng


def multinomial(counts, chances):
    ways = math.factorial(sum(counts)) / math.prod(map(math.factorial, counts))
    return ways * math.prod(p**n for n, p in zip(counts, chances))


def outcomes(draws, kinds):
    return (c for c in itertools.product(range(draws + 1), repeat=kinds) if sum(c) == draws)


def passes(counts, chances):
    try:
        assert_drawn(counts, chances, [])
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("alarm", [1e-9, 1e-3, 0.05])
@pytest.mark.parametrize("chances", [(0.5, 0.3, 0.2), (0.9, 0.09, 0.01), (1 / 3, 1 / 3, 1 / 3)])
def test_false_alarms_and_misses_are_bounded(alarm, chances, monkeypatch):
    """All ways in which twelve draws can fall on three kinds, with their probabilities: those that fail have at
    most the one stated, and those that pass, drawn by other chances, at most the one computed."""
    monkeypatch.setattr(chance, "FALSE_ALARM", alarm)
    monkeypatch.setattr(chance.limits, "__defaults__", (alarm,))
    others = (0.2, 0.2, 0.6)
    every = list(outcomes(12, 3))
    failing = sum(multinomial(c, chances) for c in every if not passes(c, chances))
    passing = sum(multinomial(c, others) for c in every if passes(c, chances))
    assert failing <= alarm
    assert passing <= chance.miss(12, chances, others) + 1e-12


def test_a_wrong_sampler_is_caught():
    """Draws by weights of 5 to 4 to 3 are not even, nor the other way round; the right ones pass."""
    rng, weights = default_rng(0), np.array([5, 4, 3]) / 12
    right, wrong = rng.multinomial(20_000, weights), rng.multinomial(20_000, [1 / 3] * 3)
    assert_drawn(right, weights, [[1, 1, 1]])
    assert_even(wrong, favoured=1.2)
    with pytest.raises(AssertionError, match="expected"):
        assert_drawn(wrong, weights, [[1, 1, 1]])
    with pytest.raises(AssertionError, match="expected"):
        assert_even(right)


def test_too_few_draws_are_refused():
    """A check that could not tell the wrong sampler it names says so, whatever was drawn."""
    with pytest.raises(AssertionError, match="30 draws miss"):
        assert_even([10, 10, 10])


def test_what_cannot_be_drawn_is_not():
    """One draw of a kind whose chance is 0 fails."""
    assert_drawn([50, 50, 0], [1, 1, 0], [])
    with pytest.raises(AssertionError, match="2: 1 of 101"):
        assert_drawn([50, 50, 1], [1, 1, 0], [])


def test_a_wrong_distribution_is_caught():
    """Uniform numbers are no squares of uniform numbers; too few numbers cannot tell."""
    drawn = default_rng(1).random(1000)
    assert_spread(drawn, uniform.cdf, [np.sqrt])
    with pytest.raises(AssertionError):
        assert_spread(drawn**2, uniform.cdf, [np.sqrt])
    with pytest.raises(AssertionError):
        assert_spread(drawn[:50], uniform.cdf, [np.sqrt])


@pytest.mark.parametrize(("share", "kinds"), [(0.5, 2), (0.01, 30)])
def test_draws_to_see(share, kinds):
    """One fewer would leave a kind out with more than the probability stated."""
    n = chance.draws_to_see(share, kinds)
    assert kinds * (1 - share) ** n <= FALSE_ALARM < kinds * (1 - share) ** (n - 1)


def test_what_is_asked_of_a_strategy():
    """As many successes as come but with a probability of UNLUCKY where the chance is the lowest that the
    measurement allows: at that chance, so many or more of the seeds had a probability of UNLUCKY."""
    asked, low = chance.fewest(12, (190, 200)), 0.0
    low = next(p for p in np.linspace(0.5, 1, 50_001) if binom.sf(189, 200, p) >= chance.UNLUCKY)
    assert binom.cdf(asked - 1, 12, low) <= chance.UNLUCKY < binom.cdf(asked, 12, low + 1e-4)


def test_who_does_not_learn_is_caught():
    """Too few successes fail; where chance alone could have as many, nothing is shown."""
    assert_learns([True] * 12, (190, 200), 0.001)
    with pytest.raises(AssertionError, match="0 of 12 runs succeeded"):
        assert_learns([False] * 12, (190, 200), 0.001)
    with pytest.raises(AssertionError, match="without learning"):
        assert_learns([True] * 12, (190, 200), 0.5)
    assert MISSED < 1e-5
