"""The estimated number of architectures, against counts."""

from __future__ import annotations

import math

import pytest

from cambrian.architecture import completions, questions
from cambrian.spaces import SPACES
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.size import estimate_size
from cambrian.spaces.space import Pick, Space
from chance import mean_band
from reseeding import stream


class Uneven(Space):
    """One answer opens a long chain, the others nothing; weights are not what is counted."""

    def program(self, pick: Pick) -> None:
        if pick("long", [True, False], [0.01, 0.99]):
            first = pick.some("two", ["a", "b", "c", "d"], 1, 2)
            pick.integer("number", 0, 9)
            pick.require("a" in first, "a is needed")

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError


def walk_counts(space, architecture):
    """(the answers that its walk meets, how likely it is by the space's own weights)."""
    met, share = 1.0, 1.0
    for choice in questions(space, architecture):
        weights = getattr(choice, "weights", None) or [1.0] * choice.size
        met *= choice.size
        share *= weights[list(choice.answers()).index(architecture[choice.path])] / sum(weights)
    return met, share


@pytest.mark.statistical
@pytest.mark.parametrize("space", [SPACES.make("tiny-chain"), Uneven()])
def test_the_estimate_is_near_the_count(space):
    """By enumeration, and as near as the walks' variance says: one that meets x answers ends in each with
    probability 1 / x and counts x. An estimate whose
    walks went by the weights would be further off: at `weighted`."""
    walks = [walk_counts(space, a) for a in completions(space, {})]
    count, square = len(walks), sum(met for met, _ in walks)
    band = mean_band(2000, square - count**2, max(met for met, _ in walks))
    assert estimate_size(space, stream(0, "size"), 2000) == pytest.approx(count, abs=band)
    if isinstance(space, Uneven):
        weighted = sum(met * share for met, share in walks)
        assert abs(weighted - count) > 2 * band


def test_there_is_no_error_where_every_walk_meets_as_many_answers():
    """One walk tells."""
    assert estimate_size(SPACES.make("nasbench201"), stream(0, "size"), 1) == 15_625


@pytest.mark.statistical
def test_pnas_cells_of_five_blocks():
    """5.6e14 of five blocks, and the few of less: one walk in five is to the largest, and counts it five
    times."""
    sizes = [PNAS().size(level) for level in range(1, 6)]
    band = mean_band(4000, 5 * sum(s**2 for s in sizes) - sum(sizes) ** 2, 5 * sizes[-1])
    assert band < 0.25 * sum(sizes)
    assert estimate_size(PNAS(), stream(0, "size"), 4000) == pytest.approx(sum(sizes), abs=band)


def test_real_numbers_are_infinitely_many():
    """An interval has no size."""

    class Interval(Uneven):
        def program(self, pick):
            pick.real("rate", 0.0, 1.0)

    assert estimate_size(Interval(), stream(0, "size")) == math.inf
