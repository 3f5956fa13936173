"""The estimated number of architectures, against counts."""

from __future__ import annotations

import math

import pytest

from cambrian.architecture import completions
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.size import estimated_size
from cambrian.spaces.space import Pick, Space


class Uneven(Space):
    """One answer opens a long chain, the others nothing; weights are not what is counted."""

    def program(self, pick: Pick) -> None:
        if pick("long", [True, False], [0.01, 0.99]):
            first = pick.some("two", ["a", "b", "c", "d"], 1, 2)
            pick.integer("number", 0, 9)
            pick.require("a" in first, "a is needed")

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError


@pytest.mark.parametrize("space", [SPACES.make("nasbench201"), SPACES.make("tiny-chain"), Uneven()])
def test_the_estimate_is_near_the_count(space):
    """By enumeration; without error where every walk meets as many answers."""
    count = sum(1 for _ in completions(space, {}))
    assert estimated_size(space, stream(0, "size"), 2000) == pytest.approx(count, rel=0.1)
    if count == 15_625:
        assert estimated_size(space, stream(0, "size"), 1) == count


def test_pnas_cells_of_five_blocks():
    """5.6e14 of five blocks, and the few of less: one walk in five is to the largest."""
    blocks = sum(PNAS().size(level) for level in range(1, 6))
    assert estimated_size(PNAS(), stream(0, "size"), 2000) == pytest.approx(blocks, rel=0.2)


def test_real_numbers_are_infinitely_many():
    """An interval has no size."""

    class Interval(Uneven):
        def program(self, pick):
            pick.real("rate", 0.0, 1.0)

    assert estimated_size(Interval(), stream(0, "size")) == math.inf
