"""The checks of what is drawn, against enumeration: how often they are wrong, and that they catch samplers
which are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, uniform

import chance
from chance import FALSE_ALARM, MISSED, assert_drawn, assert_even, assert_learns, assert_seldom, assert_spread
from reseeding import default_rng

pytestmark = pytest.mark.statistical


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
    """All ways in which twelve draws can fall on three kinds, with their probabilities: those that fail
    have at most the one stated, and those that pass, drawn by other chances, at most the one computed."""
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


def test_what_is_too_often_is_caught():
    """A twentieth where a twentieth is allowed passes, a sixth does not."""
    assert_seldom(52, 1000, 0.05, unlike=[1 / 6])
    with pytest.raises(AssertionError, match="167 of 1000, expected at most"):
        assert_seldom(167, 1000, 0.05, unlike=[1 / 6])
    with pytest.raises(AssertionError, match="100 draws miss"):
        assert_seldom(5, 100, 0.05, unlike=[1 / 6])


def test_the_band_of_a_mean_is_bernsteins():
    """At its edge the bound is FALSE_ALARM; the exact probability of a binomial beyond it is less."""
    n, p = 500, 0.1
    band = chance.mean_band(n, p * (1 - p), 1 - p)
    bound = 2 * math.exp(-n * band**2 / (2 * p * (1 - p) + 2 * (1 - p) * band / 3))
    assert bound == pytest.approx(FALSE_ALARM)
    assert binom.sf(n * (p + band) - 1, n, p) + binom.cdf(n * (p - band), n, p) < FALSE_ALARM


def test_samplers_that_differ_are_caught():
    """By counts of both, the chances unknown; two that are alike pass."""
    rng = default_rng(2)
    one, other = rng.multinomial(200, [0.6, 0.4]), rng.multinomial(900, [0.6, 0.4])
    wrong = rng.multinomial(900, [0.2, 0.8])
    chance.assert_alike(one, other)
    with pytest.raises(AssertionError):
        chance.assert_alike(one, wrong)


@pytest.mark.parametrize(("share", "kinds"), [(0.5, 2), (0.01, 30)])
def test_draws_to_see(share, kinds):
    """One fewer would leave a kind out with more than the probability stated."""
    n = chance.draws_to_see(share, kinds)
    assert kinds * (1 - share) ** n <= FALSE_ALARM < kinds * (1 - share) ** (n - 1)


def test_what_is_asked_of_a_strategy():
    """As many successes as come but with a probability of UNLUCKY where the chance is the lowest that the
    measurement allows: at that chance, so many or more of the seeds had a probability of UNLUCKY."""
    asked = chance.fewest(12, (190, 200))
    low = brentq(lambda p: binom.sf(189, 200, p) - chance.UNLUCKY, 0.5, 0.95, xtol=1e-12)
    assert binom.cdf(asked - 1, 12, low) <= chance.UNLUCKY < binom.cdf(asked, 12, low)


def test_who_does_not_learn_is_caught():
    """Too few successes fail; where chance alone could have as many, nothing is shown."""
    assert_learns([True] * 12, (190, 200), 0.001)
    with pytest.raises(AssertionError, match="0 of 12 runs succeeded"):
        assert_learns([False] * 12, (190, 200), 0.001)
    with pytest.raises(AssertionError, match="without learning"):
        assert_learns([True] * 12, (190, 200), 0.5)
    assert MISSED < 1e-5
