"""The Weisfeiler-Lehman subtree features of labelled graphs (Shervashidze et al., JMLR 2011).

A node's name is at first its label; in each round it becomes a hash of its name and the names of the nodes
that feed it. Graphs are compared by the counts of names, which are equal for isomorphic graphs. Ru et al.,
NAS-BOWL (ICLR 2021), use them in the kernel of a Gaussian process.
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
from cambrian.predictors.features import (
    Matrix,
    Rows,
    Singles,
    Whole,
    find_rows,
    graph_of,
    inner_products,
    matrix_of,
    memoise,
)
from cambrian.predictors.kernel_predictor import KernelPredictor
from cambrian.predictors.predictor import Values
from cambrian.spaces.knowledge import Graph

ROUNDS = 4


@dataclass(frozen=True)
class WeisfeilerLehman(KernelPredictor):
    """Graphs correlate by their common features after 0 to `rounds` rounds, a number chosen by the
    likelihood of the data. A space without graphs is compared by its trees of answers."""

    rounds: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.rounds <= ROUNDS:
            raise UsageError(f"predictor 'weisfeiler-lehman': rounds is 0 to {ROUNDS}, got {self.rounds}")

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        return find_rows(space, architectures) or [_subtrees(space, a) for a in architectures]

    def kernels(self, described: Any) -> Iterator[tuple[Any, Values, float]]:
        for rounds in range(self.rounds + 1):
            yield rounds, self.correlation(rounds, described, described), 0.0

    def correlation(self, kernel: int, some: Any, others: Any) -> Values:
        """The cosine <x, y> / |x| |y| of the counts, with the names of all rounds together."""
        if isinstance(some, Rows):
            return some.read([_column(some.space, (some.whole, a, kernel)) for a in others.architectures])
        vectors = [[_join(counts, kernel) for counts in side] for side in (some, others)]
        norms = [np.sqrt([sum(v * v for v in x.values()) for x in side]) for side in vectors]
        cosine: Values = inner_products(vectors[0], vectors[1]) / norms[0][:, None] / norms[1]
        return cosine


def _compare_with_all(space: Any, key: tuple[Whole, Architecture, int]) -> Singles:
    """The cosines float[n] of the n architectures of a list with another one."""
    whole, other, rounds = key
    matrix, vector = _matrix(space, (whole, rounds)), _join(_subtrees(space, other), rounds)
    norm = np.float32(np.sqrt(sum(v * v for v in vector.values())))
    cosines: Singles = matrix.multiply(vector) / np.sqrt(matrix.norms) / norm
    return cosines


def _count_all(space: Any, key: tuple[Whole, int]) -> Matrix:
    whole, rounds = key
    return matrix_of([_join(_subtrees(space, a), rounds) for a in whole])


_matrix = memoise(_count_all, 2 * (ROUNDS + 1))
# A column for each lesson of a fit and each number of rounds that is tried.
_column = memoise(_compare_with_all, 2048)


def _join(counts: Sequence[Any], rounds: int) -> dict[Any, float]:
    joined = enumerate(counts[: rounds + 1])
    return {(i, name): float(v) for i, count in joined for name, v in count.items()}


@memoise
def _subtrees(space: Any, architecture: Architecture) -> list[Any]:
    return list(subtree_counts(graph_of(space, architecture), ROUNDS))


def subtree_counts(graph: Graph, rounds: int) -> list[Counter[str]]:
    """`rounds + 1` counts of names: of the labels, then of the names after each round."""
    feeding: list[list[int]] = [[] for _ in graph.labels]
    for source, to in graph.edges:
        feeding[to].append(source)
    names = list(graph.labels)
    counts = [Counter(names)]
    for _ in range(rounds):
        # Sorted: the nodes that feed a node have no order. All at once, from the names of the round before.
        names = [_name(own, sorted(names[i] for i in of)) for own, of in zip(names, feeding, strict=True)]
        counts.append(Counter(names))
    return counts


def _name(own: str, fed_by: list[str]) -> str:
    """A name of sixteen hexadecimal digits, which stays as short after any number of rounds."""
    return hashlib.blake2b(repr((own, fed_by)).encode(), digest_size=8).hexdigest()
