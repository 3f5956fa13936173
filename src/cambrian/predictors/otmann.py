"""OTMANN, a distance of neural networks as graphs: Kandasamy et al., "Neural Architecture Search with
Bayesian Optimisation and Optimal Transport" (NASBOT, NeurIPS 2018, Sec. 3).

The distance is the least cost of matching the layers of one network with those of the other. A match costs
the difference in labels and in path lengths to the ends; an unmatched layer costs 1. Graphs in cambrian do
not have numbers of units, so that each layer has the same mass, 1, and the optimal transport is an optimal
assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from cambrian.spaces.space import Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KIN = 0.25
"""The cost of matching layers of one kind and different sizes, such as sep3x3 and sep5x5."""
STRANGERS = 4.0
"""The cost of matching layers of different kinds: more than leaving both unmatched."""


@dataclass(frozen=True)
class Layers:
    """A graph as OTMANN sees it: the label, the six path lengths and the kind of every layer. The layers are
    sorted by these, so that isomorphic graphs are equal."""

    labels: tuple[str, ...]
    lengths: tuple[tuple[float, ...], ...]
    """The shortest, longest and mean (of a random walk) path length, from the inputs and then to the
    outputs."""

    kinds: tuple[str, ...]

    @cached_property
    def _hash(self) -> int:
        return hash((self.labels, self.lengths, self.kinds))

    def __hash__(self) -> int:  # once: distances are looked up by the million
        return self._hash

    def __lt__(self, other: Layers) -> bool:
        return (self.labels, self.lengths, self.kinds) < (other.labels, other.lengths, other.kinds)


def layers(graph: Graph) -> Layers:
    before: list[list[int]] = [[] for _ in graph.labels]
    after: list[list[int]] = [[] for _ in graph.labels]
    for source, to in graph.edges:
        before[to].append(source)
        after[source].append(to)
    forward = range(len(graph.labels))
    ends = zip(_lengths(before, forward), _lengths(after, reversed(forward)), strict=True)
    kinds = graph.kinds or graph.labels
    rows = zip(graph.labels, ends, kinds, strict=True)
    ordered = sorted((label, (*a, *b), kind) for label, (a, b), kind in rows)
    return Layers(*(tuple(column) for column in zip(*ordered)))


def _lengths(next_: Sequence[Sequence[int]], order: Iterable[int]) -> list[tuple[float, ...]]:
    """The shortest, longest and mean length of the walks from each node along `next_` until they end."""
    lengths: list[tuple[float, ...]] = [(0.0, 0.0, 0.0)] * len(next_)
    # `order` is topological: the nodes after a node have their lengths already.
    for node in order:
        if next_[node]:
            short, long, mean = zip(*(lengths[n] for n in next_[node]), strict=True)
            lengths[node] = (1 + min(short), 1 + max(long), 1 + sum(mean) / len(mean))
    return lengths


@cache
def label_cost(one: tuple[str, str], other: tuple[str, str]) -> float:
    """The cost of matching two layers, given as label and kind: 0 for the same label, KIN for the same kind,
    STRANGERS otherwise.

    >>> [label_cost(("sep3x3", "sep"), layer) for layer in (("sep5x5", "sep"), ("max3x3", "max"))]
    [0.25, 4.0]
    """
    if one[0] == other[0]:
        return 0.0
    return KIN if one[1] == other[1] else STRANGERS


def match_costs(one: Layers, other: Layers, structure: float) -> Array:
    """float[n, m]: the cost of matching each layer of `one` with each of `other`."""
    ours, theirs = (list(zip(side.labels, side.kinds)) for side in (one, other))
    labels = [[label_cost(a, b) for b in theirs] for a in ours]
    apart = np.abs(np.array(one.lengths)[:, None] - np.array(other.lengths)).mean(axis=2)
    total: Array = np.array(labels) + structure * apart
    return total


def distance(one: Layers, other: Layers, structure: float = 0.5) -> float:
    """The OTMANN distance of two networks; `structure` is the paper's nu, the weight of path lengths."""
    from scipy.optimize import linear_sum_assignment

    if one == other:
        return 0.0
    n, m = len(one.labels), len(other.labels)
    # Square, with a dummy for each layer: a layer matched with a dummy costs 1, two dummies nothing.
    cost = np.ones((n + m, n + m))
    cost[:n, :m] = match_costs(one, other, structure)
    cost[n:, m:] = 0.0
    return float(cost[linear_sum_assignment(cost)].sum())
