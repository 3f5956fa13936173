"""The hypervolume of fronts: worked examples, closed forms, and brute force on grids."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture
from cambrian.hypervolume import choose_reference, measure_front, measure_hypervolume
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Objective

EXAMPLE = [(1, 9), (2, 7), (4, 4), (7, 2), (9, 1)]
SIDE = 4


def lower(points: Any, reference: Any) -> float:
    """The hypervolume where lower is better."""
    return measure_hypervolume([tuple(-float(x) for x in p) for p in points], tuple(-x for x in reference))


def points(dimensions: int, least: int = 0) -> st.SearchStrategy[list[tuple[int, ...]]]:
    """Sets of up to eight points on a grid, ties and points below the reference 0 among them."""
    return st.lists(st.tuples(*[st.integers(-1, SIDE)] * dimensions), min_size=least, max_size=8)


@st.composite
def some_points(draw: Any) -> list[tuple[int, ...]]:
    """Points of one to four objectives, at least one."""
    return draw(points(draw(st.integers(1, 4)), least=1))


def test_the_worked_examples() -> None:
    assert lower(EXAMPLE, (10, 10)) == 50
    whole = [lower([q for q in EXAMPLE if q != p], (10, 10)) for p in EXAMPLE]
    assert [50 - v for v in whole] == [1, 4, 9, 4, 1]
    assert lower([(1, 2, 3), (2, 3, 1), (3, 1, 2)], (4, 4, 4)) == 13


@pytest.mark.parametrize(
    ("curve", "reference", "volume"),
    [
        (lambda x: 1 - np.sqrt(x), 1.0, 2 / 3),
        (lambda x: 1 - np.sqrt(x), 1.1, 0.876667),
        (lambda x: 1 - x**2, 1.0, 1 / 3),
        (lambda x: 1 - x**2, 1.1, 0.543333),
    ],
    ids=["ZDT1", "ZDT1, 1.1", "ZDT2", "ZDT2, 1.1"],
)
def test_the_fronts_of_zdt(curve: Any, reference: float, volume: float) -> None:
    """2,001 points on the front come within 1e-3 of the integral, from below."""
    x = np.linspace(0, 1, 2001)
    seen = lower(list(zip(x, curve(x), strict=True)), (reference, reference))
    assert 0 <= volume - seen + 1e-6 < 1e-3


@pytest.mark.parametrize(("reference", "volume"), [(1.0, 1 - np.pi / 6), (1.1, 0.807401)])
def test_the_front_of_dtlz2(reference: float, volume: float) -> None:
    """An eighth of a sphere: a lattice of 15 by 15 angles comes within 0.06, from below."""
    angles = np.linspace(0, np.pi / 2, 15)
    front = [(np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)) for a in angles for b in angles]
    assert 0 <= volume - lower(front, (reference,) * 3) < 0.06


@given(some_points())
@settings(deadline=None)
def test_it_counts_the_cells_of_a_grid(front: list[tuple[int, ...]]) -> None:
    """Brute force: a unit cell is dominated if a point is above it in each coordinate."""
    count = len(front[0])
    cells = sum(
        any(all(x > c for x, c in zip(p, cell, strict=True)) and min(p) > 0 for p in front)
        for cell in product(range(SIDE), repeat=count)
    )
    assert measure_hypervolume(front, (0,) * count) == cells


@given(points(3, least=1), points(3, least=1))
@settings(deadline=None)
def test_a_further_point_never_takes_away(one: Any, other: Any) -> None:
    """It grows with the set, by at most the other set's own volume; order and repetition change nothing."""
    reference = (0, 0, 0)
    alone, both = measure_hypervolume(one, reference), measure_hypervolume(one + other, reference)
    assert alone <= both <= alone + measure_hypervolume(other, reference)
    assert measure_hypervolume(other + one + one, reference) == both


@given(points(3, least=1), st.permutations(range(3)))
@settings(deadline=None)
def test_the_order_of_the_objectives_does_not_matter(front: Any, order: list[int]) -> None:
    turned = [tuple(p[n] for n in order) for p in front]
    assert measure_hypervolume(turned, (0, 0, 0)) == measure_hypervolume(front, (0, 0, 0))


def test_the_reference_is_the_objectives_own_or_below_the_front() -> None:
    """A tenth of the range below the worst; of an objective to be low the sign is turned."""
    objectives = (Objective(), Objective("ms", minimize=True), Objective("ms", minimize=True, reference=9.0))
    front = [(1.0, -4.0, -3.0), (0.5, -2.0, -1.0)]
    assert choose_reference(front, objectives) == pytest.approx((0.45, -4.2, -9.0))


def test_a_front_of_one_value_has_a_reference_below_it() -> None:
    """Else no point is above it, and no volume is left whatever the other objectives are."""
    objectives = (Objective(), Objective("ms", minimize=True), Objective("bits", minimize=True))
    front = [(1.0, -4.0, -8.0), (0.5, -2.0, -8.0)]
    reference = choose_reference(front, objectives)
    assert reference == pytest.approx((0.45, -4.2, -8.8))
    plane = measure_hypervolume([p[:2] for p in front], reference[:2])
    assert measure_hypervolume(front, reference) == pytest.approx(0.8 * plane)
    assert choose_reference([(0.0, -4.0)], objectives[:2]) == pytest.approx((-0.1, -4.4))


def test_the_front_of_trials() -> None:
    """Dominated trials, and those without a metric, add nothing."""
    objectives = (Objective(reference=0.0), Objective("ms", minimize=True, reference=4.0))
    outcomes = [Done(1.0, {"ms": 1.0}), Done(2.0, {"ms": 3.0}), Done(1.0, {"ms": 2.0}), Done(9.0)]
    trials = [Trial(n, Architecture({"n": n}), Fidelity(), outcome=o) for n, o in enumerate(outcomes)]
    assert measure_front(trials, objectives) == 1 * 3 + 1 * 1
    assert measure_front([], objectives) == 0.0
