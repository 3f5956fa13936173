"""Bayesian optimisation: a Gaussian process of all measurements, and the architecture from which most
improvement is expected (Jones, Schonlau & Welch, "Efficient Global Optimization", 1998).

`Gaussian` is that for any kernel; `Bayes` is the one for small budgets: a kernel on the counts of the
graph's paths, told only the order of the values measured.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.features import distances
from cambrian.predictors.gaussian_process import (
    LENGTHS,
    expected_improvement,
    likeliest,
    normal_scores,
    posterior,
)
from cambrian.randomness import stream
from cambrian.strategies.bayesian.candidates import Acquisition
from cambrian.strategies.bayesian.model_based import ModelBased, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A kernel's settings, its variance and that of the noise."""

    kernel: Any
    signal: float
    noise: float


@dataclass(frozen=True)
class Gaussian(ModelBased):
    """Values enter as normal scores: only their order counts, so that a few broken networks at the
    bottom do not set the scale."""

    @abstractmethod
    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        """What the kernel compares of them."""

    @abstractmethod
    def kernels(self, described: Any) -> Iterator[tuple[Any, Array, float]]:
        """Settings to choose from, each one's float[n, n] correlations and log prior."""

    @abstractmethod
    def correlation(self, kernel: Any, some: Any, others: Any) -> Array:
        """float[n, m] by the kernel of those settings; 1 of a thing with itself."""

    def fit(self, state: State) -> Model:
        architectures, values = self.lessons(state.trials)
        if len(values) > 200:  # a kernel's few numbers need no more
            chosen = stream(state.seed, "bayes", "fit", len(values)).permutation(len(values))[:200]
            architectures, values = [architectures[i] for i in chosen], values[chosen]
        described = self.describe(state.space, architectures)
        return Model(*likeliest(self.kernels(described), normal_scores(values)))

    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        model: Model = state.model
        architectures, values = self.lessons(state.trials)
        targets = normal_scores(values)
        known = self.describe(state.space, [*architectures, *pending])

        def covariance(some: Any, others: Any) -> Array:
            return model.signal * self.correlation(model.kernel, some, others)

        among = covariance(known, known)
        if pending:  # believed to come out as expected (Ginsbourger et al. 2010)
            n = len(values)
            sure = posterior(among[:n, :n], model.noise, model.signal, targets)
            targets = np.concatenate([targets, sure.mean(among[n:, :n])])
        process, best = posterior(among, model.noise, model.signal, targets), float(targets.max())

        def hope(candidates: Sequence[Architecture]) -> Array:
            across = covariance(self.describe(state.space, candidates), known)
            return expected_improvement(process.mean(across), process.deviation(across), best)

        return hope


@dataclass(frozen=True)
class Bayes(Gaussian):
    """The strategy for small budgets. A value is believed to be the sum of a function of the graph's paths
    and one of the answers, each as likely to matter (Duvenaud et al., "Additive Gaussian Processes", 2011):
    equal functions have equal paths, and answers tell chains apart that paths cannot compare. Without a
    graph answers are all. Correlations of a part are exp(-d^2 / 2 l^2), d^2 in units of its mean."""

    initial: int = 10
    refit: int = 1
    candidates: int = 40
    enumerated: ClassVar[int] = 20_000

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        return space, architectures

    def kernels(self, described: Any) -> Iterator[tuple[Any, Array, float]]:
        apart = _apart(described, described)
        scales = [max(float(d.mean()), 1e-12) for d in apart]
        for length in LENGTHS:
            rates = tuple(1.0 / (2.0 * length**2 * scale) for scale in scales)
            yield rates, _decay(rates, apart), 0.0

    def correlation(self, kernel: Any, some: Any, others: Any) -> Array:
        return _decay(kernel, _apart(some, others))


def _apart(some: Any, others: Any) -> list[Array]:
    (space, ours), (_, theirs) = some, others
    return distances(space, ours, theirs)


def _decay(rates: Sequence[float], apart: Sequence[Array]) -> Array:
    """The mean over the parts, in the precision of their distances."""
    parts = [np.exp(d * d.dtype.type(-rate)) for rate, d in zip(rates, apart, strict=True)]
    total: Array = reduce(np.add, parts)
    return total / total.dtype.type(len(parts))
