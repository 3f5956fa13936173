"""The length of a training until a point of its curve: in steps where the point says them, else in epochs.

Where a recipe's epochs are of a number of steps, as those of a race are, an epoch is no pass over the data,
which is what people mean by it; the points of such a training say their steps."""

from __future__ import annotations

from collections.abc import Iterable

from cambrian.counts import counted
from cambrian.outcome import Point

STEPS, EPOCHS = "steps", "epochs"


def find_unit(points: Iterable[Point]) -> str:
    """The unit in which the lengths of all the points are known."""
    listed = list(points)
    return STEPS if listed and all(STEPS in point.metrics for point in listed) else EPOCHS


def read_length(point: Point, unit: str) -> float:
    return point.metrics[STEPS] if unit == STEPS else float(point.step)


def describe_length(point: Point) -> str:
    """
    >>> describe_length(Point(2, {"steps": 1000.0})), describe_length(Point(1, {}))
    ('1,000 steps', '1 epoch')
    """
    unit = find_unit([point])
    return counted(read_length(point, unit), unit.removesuffix("s"))
