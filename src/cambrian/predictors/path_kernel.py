"""The Gaussian process for small budgets: a kernel on the counts of the graph's paths and on the answers, or
subtrees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.features import distances, is_graph_alone
from cambrian.predictors.gaussian_process import LENGTHS
from cambrian.predictors.kernel_predictor import KernelPredictor
from cambrian.predictors.predictor import Values
from cambrian.predictors.weisfeiler_lehman import WeisfeilerLehman

SUBTREES = WeisfeilerLehman()


@dataclass(frozen=True)
class Described:
    """Architectures of a space; `subtrees` where the space asks of nothing but its graph."""

    space: Any
    architectures: Sequence[Architecture]
    subtrees: Any


@dataclass(frozen=True)
class PathKernel(KernelPredictor):
    """A value is modelled as the sum of a function of the graph's paths and one of the answers, with equal
    variances (Duvenaud et al., "Additive Gaussian Processes", 2011): equal functions have equal paths, and
    answers compare chains that paths cannot compare. A space without graphs has the answers alone. The
    correlation of a part is exp(-d^2 / 2 l^2), with d^2 in units of its mean.

    Where a space asks of nothing but the graph, answers only number its nodes: in their place stands a linear
    function of the graph's subtrees (see `WeisfeilerLehman`)."""

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Described:
        subtrees = SUBTREES.describe(space, architectures) if is_graph_alone(space) else None
        return Described(space, architectures, subtrees)

    def kernels(self, described: Described) -> Iterator[tuple[Any, Values, float]]:
        apart = _apart(described, described)
        scales = [max(float(d.mean()), 1e-12) for d in apart]
        cosines = [(rounds, _compare_subtrees(rounds, described, described)) for rounds in _rounds(described)]
        for length in LENGTHS:
            rates = tuple(1.0 / (2.0 * length**2 * scale) for scale in scales)
            near = _decay(rates, apart)
            for rounds, cosine in cosines:
                yield (rates, rounds), near if cosine is None else (near + cosine) / 2, 0.0

    def correlation(self, kernel: Any, some: Described, others: Described) -> Values:
        rates, rounds = kernel
        near = _decay(rates, _apart(some, others))
        cosine = _compare_subtrees(rounds, some, others)
        return near if cosine is None else (near + cosine) / near.dtype.type(2)


def _rounds(described: Described) -> Sequence[int]:
    """The depths of subtrees to choose from; without subtrees one that is not used."""
    return (0,) if described.subtrees is None else range(SUBTREES.rounds + 1)


def _compare_subtrees(rounds: int, some: Described, others: Described) -> Values | None:
    return None if some.subtrees is None else SUBTREES.correlation(rounds, some.subtrees, others.subtrees)


def _apart(some: Described, others: Described) -> list[Values]:
    return distances(some.space, some.architectures, others.architectures)


def _decay(rates: Sequence[float], apart: Sequence[Values]) -> Values:
    """The mean correlation over the parts, in the precision of their distances."""
    # A Python float would leave single precision as it is, a NumPy one would double it: hence the type.
    parts = [np.exp(d * d.dtype.type(-rate)) for rate, d in zip(rates, apart, strict=True)]
    total: Values = reduce(np.add, parts)
    return total / total.dtype.type(len(parts))


SCORES = PathKernel(standardise=False)
"""For values that are normal scores already, such as those in `bayes`."""
