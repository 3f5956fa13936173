"""A drawing much taller than wide, cut between layers where a single edge passes, and set in columns."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import groupby, pairwise

from cambrian.pictures.layout import Box, Placed, Point

_TALL = 560.0  # no higher than a screen, if it can be helped
_CHANNEL = 30.0  # between columns, where the edge climbs to the next one
_TURN = 20.0  # above and below, where it turns


def fold(placed: Placed, width: float) -> Placed:
    """The drawing in as many columns as its height needs, its layers allow and `width` holds; a large one may
    exceed `width`, so that it does not become higher than wide."""
    cuts = _cuts(placed)
    widest = max(width, 1.25 * math.sqrt(placed.width * placed.height))
    # As many columns as a screen's height asks for; fewer where cuts fall unevenly or the width is exceeded.
    for count in range(min(len(cuts) + 1, math.ceil(placed.height / _TALL)), 1, -1):
        ideal = (placed.height * i / count for i in range(1, count))
        chosen = sorted({min(cuts, key=lambda y: (abs(y - at), y)) for at in ideal})
        if _even(chosen, placed.height, count) and (columns := _columns(placed, chosen)).width <= widest:
            return columns
    return placed


def _even(cuts: Sequence[float], height: float, count: int) -> bool:
    parts = [b - a for a, b in pairwise([0.0, *cuts, height])]
    # Two ideal heights may share a cut; and a stump beside a tower saves no height.
    return len(parts) == count and max(parts) <= 2 * min(parts)


def _cuts(placed: Placed) -> list[float]:
    """Heights at which no box lies and a single edge passes."""
    rows = _rows(placed.boxes)
    passing = [0] * len(rows)
    tops = [top for top, _ in rows]
    for u, v in placed.routes:
        first, last = (bisect(tops, placed.boxes[w].y) - 1 for w in (u, v))
        for at in range(first, last):
            passing[at] += 1
    return [(rows[i][1] + rows[i + 1][0]) / 2 for i in range(len(rows) - 1) if passing[i] == 1]


def _rows(boxes: Sequence[Box]) -> list[Point]:
    """Top and bottom of each layer."""
    rows: list[Point] = []
    for box in sorted(boxes, key=lambda box: box.top):
        if rows and box.top < rows[-1][1]:
            rows[-1] = rows[-1][0], max(rows[-1][1], box.bottom)
        else:
            rows.append((box.top, box.bottom))
    return rows


def _columns(placed: Placed, cuts: list[float]) -> Placed:
    """Cut at these heights; each part goes to the right of the one before, as high as that."""
    tops = [0.0, *(min(b.top for b in placed.boxes if b.y > cut) for cut in cuts)]
    held: list[list[Point]] = [[] for _ in tops]  # corners and bends that each column must hold
    for box in placed.boxes:
        held[bisect(cuts, box.y)] += [(box.left, box.bottom), (box.right, box.bottom)]
    for points in placed.routes.values():
        for point in points:
            held[bisect(cuts, point[1])].append(point)
    shifts: list[Point] = []
    right = -_CHANNEL
    for top, inside in zip(tops, held):
        left = min(x for x, _ in inside)
        shifts.append((right + _CHANNEL - left, _TURN - top))
        right = max(x for x, _ in inside) + shifts[-1][0]
    height = max(max(y for _, y in inside) + dy for inside, (_, dy) in zip(held, shifts)) + _TURN
    boxes = [box.move(*shifts[bisect(cuts, box.y)]) for box in placed.boxes]
    starts = [min(x for x, _ in inside) + dx for inside, (dx, _) in zip(held, shifts)]
    routes = {edge: _turn_route(points, cuts, shifts, starts) for edge, points in placed.routes.items()}
    return Placed(boxes, routes, right, height)


def _turn_route(
    points: Sequence[Point], cuts: list[float], shifts: list[Point], starts: list[float]
) -> list[Point]:
    """The route through its columns: from the foot of one up to the head of the next."""
    turned: list[Point] = []
    for column, part in groupby(points, key=lambda point: bisect(cuts, point[1])):
        dx, dy = shifts[column]
        moved = [(x + dx, y + dy) for x, y in part]
        if turned:
            channel = starts[column] - _CHANNEL / 2
            turned += [(channel, turned[-1][1]), (channel, moved[0][1])]
        turned += moved
    return turned
