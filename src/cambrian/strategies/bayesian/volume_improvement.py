"""The expected hypervolume improvement (Emmerich, Giannakoglou & Naujoks 2006) in closed form, by the cells
of Yang, Emmerich, Deutz & Bäck, "Multi-Objective Bayesian Global Optimization using Expected Hypervolume
Improvement Gradient" (Swarm and Evolutionary Computation 44, 2019), for any number of objectives.

A point y adds to a front the volume of the part of [reference, y] that the front does not dominate. This
part of space is divided into cells, of which y covers prod_j (min(y_j, upper_j) - lower_j)+. Objectives are
independent under their models, so that the expectation of the product is the product of
E[(y_j - lower_j)+] - E[(y_j - upper_j)+], each of which is a difference of expected improvements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cambrian.hypervolume import Vector
from cambrian.predictors.gaussian_process import compute_expected_improvement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


BLOCK = 1_000_000
"""Volumes of points within cells at once, 8 MB: four objectives have tens of thousands of cells."""


class Cells(NamedTuple):
    """The lower and the upper corners float[cells, objectives] of boxes; an upper one may be infinite."""

    lower: Array
    upper: Array


def divide_space(front: Sequence[Vector], reference: Vector) -> Cells:
    """Disjoint cells that fill the space above the reference which no point of the front dominates; higher is
    better in every coordinate.

    >>> divide_space([(1.0, 2.0), (2.0, 1.0)], (0.0, 0.0)).lower.tolist()
    [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]
    """
    above = [p for p in set(front) if all(x > low for x, low in zip(p, reference, strict=True))]
    boxes = list(_divide(above, reference))
    lower, upper = ([box[side] for box in boxes] for side in (0, 1))
    return Cells(np.array(lower, np.float64), np.array(upper, np.float64))


def _divide(front: Sequence[Vector], reference: Vector) -> list[tuple[Vector, Vector]]:
    """The cells by slabs of the first objective: within a slab the front is that of the points which reach
    past it, in the other objectives."""
    if len(reference) == 1:
        low = max((p[0] for p in front), default=reference[0])
        return [((low,), (np.inf,))]
    edges = sorted({reference[0], *(p[0] for p in front)})
    cells: list[tuple[Vector, Vector]] = []
    for low, high in zip(edges, [*edges[1:], np.inf], strict=True):
        past = [p[1:] for p in front if p[0] > low]
        cells += [((low, *a), (high, *b)) for a, b in _divide(_drop_dominated(past), reference[1:])]
    return cells


def _drop_dominated(points: Sequence[Vector]) -> list[Vector]:
    """The front of the points: others would only divide cells further."""
    distinct = set(points)
    return [p for p in distinct if not any(q != p and all(map(_reaches, q, p)) for q in distinct)]


def _reaches(a: float, b: float) -> bool:
    return a >= b


def expect_improvement(means: Sequence[Array], deviations: Sequence[Array], cells: Cells) -> Array:
    """The expected hypervolume improvement float[n] of n points whose objective j is N(means[j],
    deviations[j]^2), each float[n]."""
    factors = []
    for j, (mean, deviation) in enumerate(zip(means, deviations, strict=True)):
        # Cells share their edges: an expected improvement is computed once for each.
        edges, places = np.unique(np.stack([cells.lower[:, j], cells.upper[:, j]]), return_inverse=True)
        gains = np.stack([_improve(mean, deviation, edge) for edge in edges.tolist()], axis=1)
        factors.append((gains, *places.reshape(2, -1)))
    total: Array = np.empty(len(means[0]))
    rows = max(1, BLOCK // len(cells.lower))
    for first in range(0, len(total), rows):
        block = slice(first, first + rows)
        volume = np.ones((len(total[block]), len(cells.lower)))
        for gains, lower, upper in factors:
            volume *= gains[block][:, lower] - gains[block][:, upper]
        total[block] = volume.sum(axis=1)
    return total


def _improve(mean: Array, deviation: Array, edge: float) -> Array:
    """E[(y - edge)+]; nothing lies beyond an infinite edge."""
    if np.isinf(edge):
        return np.zeros(len(mean))
    return compute_expected_improvement(mean, deviation, edge)
