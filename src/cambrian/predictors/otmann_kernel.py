"""The Gaussian process of NASBOT on the OTMANN distance: Kandasamy et al., "Neural Architecture Search with
Bayesian Optimisation and Optimal Transport" (NeurIPS 2018, Sec. 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.predictors.features import Rows, Whole, find_rows, graph_of, memoise
from cambrian.predictors.kernel_predictor import KernelPredictor
from cambrian.predictors.otmann import Layers, distance, layers
from cambrian.predictors.predictor import Values

LISTED = 1_000
"""The longest list of architectures that are all compared with each lesson: a distance takes 0.2 ms."""
RATES = tuple(2.0 ** np.arange(-3.0, 3.1))


@dataclass(frozen=True)
class OTMANN(KernelPredictor):
    """Correlations are a weighted mean of exp(-b d) and exp(-b' d'), where d is the distance and d' the
    distance per layer. A space without graphs is compared by its trees of answers. `structure` is the
    paper's nu."""

    structure: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.structure < math.inf:
            raise UsageError(f"predictor 'otmann': structure is a number above 0, got {self.structure}")

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        return find_rows(space, architectures, LISTED) or [_layers(space, a) for a in architectures]

    def kernels(self, described: Any) -> Iterator[tuple[Any, Values, float]]:
        apart = self._apart(described, described)
        # Rates are in units of the mean distance, so that one grid serves every space.
        scales = [max(float(d.mean()), 1e-12) for d in apart]
        for weight, rate in product((0.0, 0.5, 1.0), RATES):
            kernel = (weight, rate / scales[0], rate / scales[1])
            yield kernel, _mix(kernel, apart), 0.0

    def correlation(self, kernel: Any, some: Any, others: Any) -> Values:
        return _mix(kernel, self._apart(some, others))

    def _apart(self, some: Any, others: Any) -> tuple[Values, Values]:
        """The distances float[n, m], and the distances per layer."""
        if isinstance(some, Rows):
            keys = [(some.whole, other, self.structure) for other in others.architectures]
            apart = some.read([_column(some.space, key) for key in keys])
            some, others = ([_layers(s.space, a) for a in s.architectures] for s in (some, others))
        else:
            apart = _measure(some, others, self.structure)
        sizes = [np.array([len(x.labels) for x in side]) for side in (some, others)]
        return apart, apart / (sizes[0][:, None] + sizes[1])


def _measure(some: Sequence[Layers], others: Sequence[Layers], structure: float) -> Values:
    pairs = [[(x, y) if x < y else (y, x) for y in others] for x in some]  # d(x, y) is d(y, x)
    return np.array([[_distance(x, y, structure) for x, y in row] for row in pairs])


def _measure_from_all(space: Any, key: tuple[Whole, Architecture, float]) -> Values:
    """The distances float[n] of the n architectures of a list from another one."""
    whole, other, structure = key
    return _measure([_layers(space, a) for a in whole], [_layers(space, other)], structure)[:, 0]


def _mix(kernel: tuple[float, float, float], apart: tuple[Values, Values]) -> Values:
    weight, rate, rate_per_layer = kernel
    total: Values = weight * np.exp(-rate * apart[0]) + (1 - weight) * np.exp(-rate_per_layer * apart[1])
    return total


_distance = lru_cache(1 << 18)(distance)


@memoise
def _layers(space: Any, architecture: Architecture) -> Layers:
    return layers(graph_of(space, architecture))


_column = memoise(_measure_from_all, 512)
