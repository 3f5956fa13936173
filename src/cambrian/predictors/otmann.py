"""OTMANN, a distance of neural networks as graphs: Kandasamy et al., "Neural Architecture Search with
Bayesian Optimisation and Optimal Transport" (NASBOT, NeurIPS 2018, Sec. 3).

The least that it costs to match the layers of one with those of the other: matched layers differ in
their labels and in how far they lie from the ends; a layer may stay unmatched for a price of 1. A graph
here tells no units of its layers, so that each has the same mass, 1, and the optimal transport is an
optimal assignment.
"""

from __future__ import annotations

import re
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
"""What it costs to match layers of one kind and different sizes: sep3x3 with sep5x5."""
STRANGERS = 4.0
"""What it costs to match layers of different kinds: more than leaving both unmatched."""


@dataclass(frozen=True)
class Layers:
    """A graph as OTMANN sees it: the label and the six path lengths of every layer, in an order that is
    the same for isomorphic graphs up to layers that are the same here."""

    labels: tuple[str, ...]
    lengths: tuple[tuple[float, ...], ...]
    """Shortest, longest and random walk's, from the inputs and then to the outputs."""

    @cached_property
    def _hash(self) -> int:
        return hash((self.labels, self.lengths))

    def __hash__(self) -> int:  # once: distances are looked up by the million
        return self._hash

    def __lt__(self, other: Layers) -> bool:
        return (self.labels, self.lengths) < (other.labels, other.lengths)


def layers(graph: Graph) -> Layers:
    before: list[list[int]] = [[] for _ in graph.labels]
    after: list[list[int]] = [[] for _ in graph.labels]
    for source, to in graph.edges:
        before[to].append(source)
        after[source].append(to)
    forward = range(len(graph.labels))
    ends = zip(_lengths(before, forward), _lengths(after, reversed(forward)), strict=True)
    found = sorted((label, (*a, *b)) for label, (a, b) in zip(graph.labels, ends, strict=True))
    return Layers(tuple(label for label, _ in found), tuple(row for _, row in found))


def _lengths(next_: Sequence[Sequence[int]], order: Iterable[int]) -> list[tuple[float, ...]]:
    """Shortest, longest and mean length of the walks from each node along `next_` until they end."""
    found: list[tuple[float, ...]] = [(0.0, 0.0, 0.0)] * len(next_)
    for node in order:
        if next_[node]:
            short, long, mean = zip(*(found[n] for n in next_[node]), strict=True)
            found[node] = (1 + min(short), 1 + max(long), 1 + sum(mean) / len(mean))
    return found


@cache
def label_cost(one: str, other: str) -> float:
    """0 for the same, KIN for labels that differ in their numbers alone, STRANGERS otherwise.

    >>> [label_cost("sep3x3", label) for label in ("sep3x3", "sep5x5", "max3x3")]
    [0.0, 0.25, 4.0]
    """
    if one == other:
        return 0.0
    return KIN if re.sub(r"\d+", "#", one) == re.sub(r"\d+", "#", other) else STRANGERS


def match_costs(one: Layers, other: Layers, structure: float) -> Array:
    """float[n, m]: what it costs to match each layer of `one` with each of `other`."""
    labels = [[label_cost(a, b) for b in other.labels] for a in one.labels]
    apart = np.abs(np.array(one.lengths)[:, None] - np.array(other.lengths)).mean(axis=2)
    total: Array = np.array(labels) + structure * apart
    return total


def distance(one: Layers, other: Layers, structure: float = 0.5) -> float:
    """How far apart two networks are; `structure` is the paper's nu, the weight of path lengths."""
    from scipy.optimize import linear_sum_assignment

    if one == other:
        return 0.0
    n, m = len(one.labels), len(other.labels)
    cost = np.ones((n + m, n + m))  # matched with none of the other's: 1
    cost[:n, :m] = match_costs(one, other, structure)
    cost[n:, m:] = 0.0
    return float(cost[linear_sum_assignment(cost)].sum())
