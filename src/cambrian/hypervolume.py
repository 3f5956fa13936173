"""The hypervolume of a front: the volume that it dominates above a reference point (Zitzler & Thiele,
"Multiobjective Optimization Using Evolutionary Algorithms", PPSN 1998).

It is exact for any number of objectives, by slicing them one after the other (While et al., "A Faster
Algorithm for Calculating Hypervolume", IEEE Transactions on Evolutionary Computation 10(1), 2006, HSO).
"""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.outcome import Trial
from cambrian.problem import Objective
from cambrian.recommendation import find_whole_front

MARGIN = 0.1
"""The share of a front's range by which the reference point lies below its worst values, so that the ends of
the front count too (Ishibuchi et al. 2018, "How to Specify a Reference Point")."""

Vector = tuple[float, ...]


def measure_hypervolume(points: Sequence[Vector], reference: Vector) -> float:
    """The volume between the reference point and the points; higher is better in every coordinate, and a
    point that is not above the reference in all of them adds nothing.

    >>> measure_hypervolume([(1, 3), (2, 2), (1, 1)], (0, 0))
    5.0
    """
    above = {p for p in points if all(x > low for x, low in zip(p, reference, strict=True))}
    return _slice(sorted(above), reference) if above else 0.0


def choose_reference(front: Sequence[Vector], objectives: Sequence[Objective]) -> Vector:
    """The reference point of a front, higher being better: of each objective its own `reference`, else the
    worst value on the front less a tenth of the range there; where all values are equal, a tenth of their
    size, without which no point would be above it.

    >>> choose_reference([(1.0, 8.0), (2.0, 8.0)], [Objective("accuracy"), Objective("bits")])
    (0.9, 7.2)
    """
    return tuple(
        _choose_low(values, objective) for values, objective in zip(zip(*front), objectives, strict=True)
    )


def measure_front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> float:
    """The hypervolume of the trials' front, from the reference point of `choose_reference`; 0 without a trial
    that has all objectives."""
    whole = [t.scores(objectives) for t in find_whole_front(trials, objectives)]
    return measure_hypervolume(whole, choose_reference(whole, objectives)) if whole else 0.0


def _choose_low(values: Sequence[float], objective: Objective) -> float:
    if objective.reference is not None:
        return -objective.reference if objective.minimize else objective.reference
    lowest = min(values)
    return lowest - MARGIN * (max(values) - lowest or abs(lowest) or 1.0)


def _slice(points: Sequence[Vector], reference: Vector) -> float:
    """The volume of points that are all above the reference."""
    if len(reference) == 1:
        return float(max(points)[0] - reference[0])
    # From the top of the last objective down, each slab holds the points that reach above it.
    ordered = sorted(points, key=lambda p: p[-1], reverse=True)
    ends = [*(p[-1] for p in ordered[1:]), reference[-1]]
    volume, widest = 0.0, reference[0]
    for count, (point, end) in enumerate(zip(ordered, ends, strict=True), start=1):
        widest = max(widest, point[0])
        if point[-1] == end:  # a slab without height: the next point has the same last objective
            continue
        # With two objectives a slab is a rectangle, of the width that was reached so far.
        flat = len(reference) == 2
        area = widest - reference[0] if flat else _slice([p[:-1] for p in ordered[:count]], reference[:-1])
        volume += (point[-1] - end) * area
    return float(volume)
