"""The Weisfeiler-Lehman subtree features of labelled graphs (Shervashidze et al., JMLR 2011).

A node's name is its label at first, then its name and those of the nodes that feed it, over and over.
Graphs are compared by how often each name occurs: isomorphic graphs cannot differ. As the kernel of a
Gaussian process: Ru et al., NAS-BOWL (ICLR 2021).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.predictors.features import graph_of, inner_products, memoise
from cambrian.predictors.kernel_predictor import KernelPredictor
from cambrian.predictors.predictor import Values
from cambrian.spaces.knowledge import Graph

ROUNDS = 4


@dataclass(frozen=True)
class WeisfeilerLehman(KernelPredictor):
    """Graphs correlate by the features they share after 0 to `rounds` rounds, as many as the data say; a
    space without graphs gives its trees of answers."""

    rounds: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.rounds <= ROUNDS:
            raise UsageError(f"predictor 'weisfeiler-lehman': rounds is 0 to {ROUNDS}, got {self.rounds}")

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> list[Any]:
        return [_subtrees(space, a) for a in architectures]

    def kernels(self, described: Any) -> Iterator[tuple[Any, Values, float]]:
        for rounds in range(self.rounds + 1):
            yield rounds, self.correlation(rounds, described, described), 0.0

    def correlation(self, kernel: int, some: Any, others: Any) -> Values:
        """<x, y> / |x| |y|, names of all rounds together."""
        vectors = [[_join(counts[: kernel + 1]) for counts in side] for side in (some, others)]
        norms = [np.sqrt([sum(v * v for v in x.values()) for x in side]) for side in vectors]
        cosine: Values = inner_products(vectors[0], vectors[1]) / norms[0][:, None] / norms[1]
        return cosine


def _join(counts: Sequence[Any]) -> dict[Any, float]:
    return {(i, name): float(v) for i, count in enumerate(counts) for name, v in count.items()}


@memoise
def _subtrees(space: Any, architecture: Architecture) -> list[Any]:
    return list(subtree_counts(graph_of(space, architecture), ROUNDS))


def subtree_counts(graph: Graph, rounds: int) -> list[Counter[str]]:
    """`rounds + 1` counts of names: of the labels, then of what each round of renaming gave."""
    feeding: list[list[int]] = [[] for _ in graph.labels]
    for source, to in graph.edges:
        feeding[to].append(source)
    names = list(graph.labels)
    counts = [Counter(names)]
    for _ in range(rounds):
        names = [_name(own, sorted(names[i] for i in of)) for own, of in zip(names, feeding, strict=True)]
        counts.append(Counter(names))
    return counts


def _name(own: str, fed_by: list[str]) -> str:
    """Sixteen hexadecimal digits: names stay short, whatever the number of rounds."""
    return hashlib.blake2b(repr((own, fed_by)).encode(), digest_size=8).hexdigest()
