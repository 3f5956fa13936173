"""The Gaussian process for small budgets: a kernel on the counts of the graph's paths and on the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.features import distances
from cambrian.predictors.gaussian_process import LENGTHS
from cambrian.predictors.kernel_predictor import KernelPredictor
from cambrian.predictors.predictor import Values


@dataclass(frozen=True)
class PathKernel(KernelPredictor):
    """A value is modelled as the sum of a function of the graph's paths and one of the answers, with equal
    variances (Duvenaud et al., "Additive Gaussian Processes", 2011): equal functions have equal paths, and
    answers compare chains that paths cannot compare. A space without graphs has the answers alone. The
    correlation of a part is exp(-d^2 / 2 l^2), with d^2 in units of its mean."""

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        return space, architectures

    def kernels(self, described: Any) -> Iterator[tuple[Any, Values, float]]:
        apart = _apart(described, described)
        scales = [max(float(d.mean()), 1e-12) for d in apart]
        for length in LENGTHS:
            rates = tuple(1.0 / (2.0 * length**2 * scale) for scale in scales)
            yield rates, _decay(rates, apart), 0.0

    def correlation(self, kernel: Any, some: Any, others: Any) -> Values:
        return _decay(kernel, _apart(some, others))


def _apart(some: Any, others: Any) -> list[Values]:
    (space, ours), (_, theirs) = some, others
    return distances(space, ours, theirs)


def _decay(rates: Sequence[float], apart: Sequence[Values]) -> Values:
    """The mean correlation over the parts, in the precision of their distances."""
    # A Python float would leave single precision as it is, a NumPy one would double it: hence the type.
    parts = [np.exp(d * d.dtype.type(-rate)) for rate, d in zip(rates, apart, strict=True)]
    total: Values = reduce(np.add, parts)
    return total / total.dtype.type(len(parts))


SCORES = PathKernel(standardise=False)
"""For values that are normal scores already, such as those in `bayes`."""
