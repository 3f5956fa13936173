"""The fronts of many predicted points: those that no other one dominates, then those of the rest, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Places = NDArray[np.int64]


def peel_fronts(points: Points) -> Iterator[Places]:
    """The indices of each front of float[n, objectives], higher being better, by descending first objective.
    Of equal points the first is on the front, and the others are on later ones.

    >>> [front.tolist() for front in peel_fronts(np.array([[1, 3], [3, 1], [1, 1], [3, 1.0]]))]
    [[1, 0], [3], [2]]
    """
    # By the first objective, then by the second, ...: no point is dominated by one that comes after it.
    left = np.lexsort(-points.T[::-1])
    while len(left):
        front, rest = [], left
        while len(rest):
            front.append(rest[0])
            rest = rest[(points[rest] > points[rest[0]]).any(axis=1)]
        yield np.array(front)
        left = left[~np.isin(left, front)]


def choose_from_fronts(
    points: Points, count: int, fill: bool, order: Callable[[Points], Places] | None = None
) -> list[int]:
    """At most `count` indices of the first front and, with `fill`, of the fronts after it. Of a front that
    does not fit whole, those that `order` puts first; without it, those of the highest first objective."""
    chosen: list[int] = []
    for front in peel_fronts(points):
        if len(chosen) + len(front) > count and order is not None:
            front = front[np.sort(order(points[front])[: count - len(chosen)])]
        chosen.extend(front[: count - len(chosen)].tolist())
        if len(chosen) == count or not fill:
            break
    return chosen
