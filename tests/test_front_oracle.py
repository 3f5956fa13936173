"""Fronts and their hypervolumes against another library, moocore (López-Ibáñez et al.)."""

from __future__ import annotations

import time

import moocore
import numpy as np
import pytest

from cambrian.hypervolume import measure_hypervolume
from cambrian.recommendation import dominates, front_numbers
from reseeding import stream

SETS = 250
"""Of each number of objectives: 1,000 random sets in all."""


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_a_thousand_random_sets(objectives: int) -> None:
    """The numbers of all points' fronts, who dominates whom, and the volume above a reference; half of the
    sets lie on a coarse grid, where points are equal in some objectives or in all. Higher is better."""
    rng = stream(objectives, "moocore")
    for number in range(SETS):
        points = rng.normal(size=(int(rng.integers(1, 30)), objectives))
        points = points.round() if number % 2 else points
        rows = [tuple(map(float, point)) for point in points]
        assert front_numbers(rows) == moocore.pareto_rank(points, maximise=True).tolist()
        whole = moocore.is_nondominated(points, maximise=True, keep_weakly=True)
        assert [not any(dominates(other, row) for other in rows) for row in rows] == whole.tolist()
        reference = tuple(float(x) for x in rng.normal(-1, 1, objectives))
        expected = moocore.hypervolume(points, ref=np.array(reference), maximise=True)
        assert measure_hypervolume(rows, reference) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_thousands_of_points_on_one_front() -> None:
    """Where no point dominates another, each would be compared with all: a report of so many trials took
    minutes. In a tenth of a second of the processor here, and a second at most."""
    angles = np.linspace(0, np.pi / 2, 4000)
    rows = list(zip(np.cos(angles).tolist(), np.sin(angles).tolist(), [0.0] * 4000, strict=True))
    begun = time.thread_time()
    assert front_numbers(rows) == [0] * 4000
    assert time.thread_time() - begun < 1
