"""Claims about what is drawn, each with a stated probability of failing for a seed that is merely unlucky,
and a stated one of passing though the claim is wrong. Neither depends on the seed: both are computed."""

from __future__ import annotations

import math
import os

import numpy as np
from scipy.stats import beta, binom, hypergeom

FALSE_ALARM = 1e-9
"""At most so often a check of frequencies fails for a sampler that is right: once in a million runs of a
suite that has a thousand of them."""
MISSED = 1e-6
"""At most so often a check passes for a sampler that is wrong in a way the check names."""
UNLUCKY = 1e-6
"""At most so often a strategy that is as good as it was measured to be falls short of what is asked of it."""


def limits(draws, chance, alarm=FALSE_ALARM):
    """The least and the greatest count that `draws` of an event of that chance may give: a count beyond
    either has a tail of less than half of `alarm`. Exact, by the binomial distribution; chi-square's
    approximation is worth nothing that far out, nor for small counts."""
    least, fewest_others = binom.ppf(alarm / 2, draws, [chance, 1 - chance])
    return int(least), draws - int(fewest_others)


def miss(draws, chances, others):
    """At most how probably `assert_drawn` passes for what is drawn by `others`: as the count does that is
    most likely to tell. The others only help."""
    passing = []
    for chance, other in zip(chances, others, strict=True):
        least, most = limits(draws, chance, FALSE_ALARM / len(chances))
        passing.append(binom.cdf(most, draws, other) - binom.cdf(least - 1, draws, other))
    return min(passing)


def assert_drawn(counts, chances, unlike):
    """`counts` are as draws with `chances` give them. By Boole's inequality over the counts, each of which is
    binomial, this fails for such draws with a probability of at most FALSE_ALARM. `unlike` holds the chances
    of samplers that are wrong: there are enough draws for each to pass with at most MISSED."""
    chances = np.array(chances, dtype=float) / np.sum(chances)
    draws = int(sum(counts))
    for others in unlike:
        missed = miss(draws, chances, np.array(others, dtype=float) / np.sum(others))
        assert missed <= MISSED, f"{draws} draws miss {others} with probability {missed:.1e}"
    for n, (count, chance) in enumerate(zip(counts, chances, strict=True)):
        least, most = limits(draws, chance, FALSE_ALARM / len(chances))
        assert least <= count <= most, f"{n}: {count} of {draws}, expected {least} to {most}"


def assert_even(counts, favoured=1.5):
    """All are equally likely; where one were `favoured` times as likely as each other, it would be seen."""
    assert_drawn(counts, [1] * len(counts), [[favoured] + [1] * (len(counts) - 1)])


def assert_share(hits, draws, chance, unlike):
    """`hits` of `draws` are as an event of that chance gives them; were it one of `unlike`, it would be
    seen."""
    assert_drawn([hits, draws - hits], [chance, 1 - chance], [[other, 1 - other] for other in unlike])


def assert_spread(values, cdf, unlike):
    """`values` are drawn from `cdf`. By Massart's bound on Dvoretzky, Kiefer and Wolfowitz's inequality, a
    sample's distribution leaves a band of sqrt(ln(2 / FALSE_ALARM) / 2n) around `cdf` with a probability of
    at most FALSE_ALARM, and one of MISSED around each of the wrong distributions `unlike`, which are
    further from `cdf` than both bands are wide."""
    ordered, n = np.sort(values), len(values)
    band, other_band = (math.sqrt(math.log(2 / p) / (2 * n)) for p in (FALSE_ALARM, MISSED))
    expected = cdf(ordered)
    above, below = np.arange(1, n + 1) / n - expected, expected - np.arange(n) / n
    everywhere = np.linspace(ordered[0], ordered[-1], 1000)
    for other in unlike:
        assert np.abs(cdf(everywhere) - other(everywhere)).max() > band + other_band
    assert max(above.max(), below.max()) <= band


def assert_seldom(hits, draws, chance, unlike):
    """`hits` of `draws` are no more than an event of at most that chance gives; of one of the chances
    `unlike` they would be."""
    _, most = limits(draws, chance)
    for other in unlike:
        assert binom.cdf(most, draws, other) <= MISSED, f"{draws} draws miss {other}"
    assert hits <= most, f"{hits} of {draws}, expected at most {most}"


def mean_band(draws, variance, most):
    """How far the mean of so many draws may lie from their expectation, who have this variance and lie at
    most `most` from it: Bernstein's bound 2 exp(-n t^2 / (2 v + 2 m t / 3)), solved for t at
    FALSE_ALARM."""
    log = math.log(2 / FALSE_ALARM) / draws
    return most * log / 3 + math.sqrt((most * log / 3) ** 2 + 2 * variance * log)


def assert_alike(counts, others):
    """Two samplers draw alike. Given how often both drew a kind, how many of these the first drew is
    hypergeometric, whatever the chances: Fisher's exact test of each kind, with FALSE_ALARM for all
    together."""
    total, first = int(sum(counts) + sum(others)), int(sum(counts))
    for n, (one, other) in enumerate(zip(counts, others, strict=True)):
        split = hypergeom(total, int(one + other), first)
        assert min(split.cdf(one), split.sf(one - 1)) >= FALSE_ALARM / 2 / len(counts), (n, one, other)


def draws_to_see(chance, kinds):
    """So many draws that each of `kinds` outcomes, whose chances are `chance` or more, is seen among them but
    with a probability of FALSE_ALARM: `kinds` (1 - chance)^draws."""
    return math.ceil(math.log(FALSE_ALARM / kinds) / math.log1p(-chance))


def runs(count):
    """The seeds of `count` independent runs; with `CAMBRIAN_MEASURE=200`, of so many: how the numbers that
    `assert_learns` is given were measured."""
    return range(int(os.environ.get("CAMBRIAN_MEASURE", "0")) or count)


def fewest(count, measured):
    """The most successes that can be asked of `count` runs, where of `measured[1]` seeds `measured[0]` had
    one, so that fewer come with a probability of at most UNLUCKY. The chance of a success is taken to be as
    low as it may be: the exact (Clopper-Pearson) bound that holds with a probability of 1 - UNLUCKY."""
    hits, seeds = measured
    low = beta.ppf(UNLUCKY, hits, seeds - hits + 1)
    return int(binom.ppf(UNLUCKY, count, low))


def assert_learns(successes, measured, chance):
    """Of these independent runs as many succeeded as can be asked (see `fewest`); without learning, when a
    run succeeds with probability `chance`, that many would with a probability of at most MISSED."""
    count, hits = len(successes), int(sum(successes))
    print(f"{hits} of {count}")
    asked = fewest(count, measured)
    lucky = binom.sf(asked - 1, count, chance)
    assert lucky <= MISSED, f"{asked} of {count} come without learning with probability {lucky:.1e}"
    assert hits >= asked, f"{hits} of {count} runs succeeded, {asked} are asked for"
