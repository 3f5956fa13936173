"""Bayesian optimisation with a Weisfeiler-Lehman kernel: Ru et al., "Interpretable Neural Architecture
Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels" (NAS-BOWL, ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.features import graph_of, inner_products, memoise
from cambrian.predictors.weisfeiler_lehman import subtree_counts
from cambrian.settings import Span
from cambrian.strategies.bayesian.bayes import Gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROUNDS = 4


@dataclass(frozen=True)
class NASBowl(Gaussian):
    """Graphs correlate by the features they share after 0 to `rounds` rounds, as many as the data say; a
    space without graphs gives its trees of answers."""

    rounds: Annotated[int, Span(0, ROUNDS)] = 3

    @staticmethod
    def paper() -> NASBowl:
        """10 random architectures first, five more for each fit (Sec. 5.1)."""
        return NASBowl(initial=10, refit=5)

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> list[Any]:
        return [_subtrees(space, a) for a in architectures]

    def kernels(self, described: Any) -> Iterator[tuple[Any, Array, float]]:
        for rounds in range(self.rounds + 1):
            yield rounds, self.correlation(rounds, described, described), 0.0

    def correlation(self, kernel: int, some: Any, others: Any) -> Array:
        """<x, y> / |x| |y|, names of all rounds together."""
        vectors = [[_join(counts[: kernel + 1]) for counts in side] for side in (some, others)]
        norms = [np.sqrt([sum(v * v for v in x.values()) for x in side]) for side in vectors]
        cosine: Array = inner_products(vectors[0], vectors[1]) / norms[0][:, None] / norms[1]
        return cosine


def _join(counts: Sequence[Any]) -> dict[Any, float]:
    return {(i, name): float(v) for i, count in enumerate(counts) for name, v in count.items()}


@memoise
def _subtrees(space: Any, architecture: Architecture) -> list[Any]:
    return list(subtree_counts(graph_of(space, architecture), ROUNDS))
