"""Bayesian optimisation: a Gaussian process of all measurements, and the architecture from which most
improvement is expected (Jones, Schonlau & Welch, "Efficient Global Optimization", 1998).

`Gaussian` is that for any kernel; `Bayes` is the one for small budgets: a kernel on the counts of the
graph's paths, told only the order of the values measured.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.features import describe, squared_distances
from cambrian.predictors.gaussian_process import (
    LENGTHS,
    expected_improvement,
    likeliest,
    normal_scores,
    posterior,
)
from cambrian.randomness import stream
from cambrian.strategies.candidates import Acquisition
from cambrian.strategies.model_based import ModelBased, State

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
    """The strategy for small budgets. Correlations are exp(-d^2 / 2 l^2), d^2 being mixed of the distance of
    the graphs' paths and that of the answers, as the data say; without a graph, of the answers alone."""

    enumerated: ClassVar[int] = 20_000

    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        return describe(space, architectures)

    def kernels(self, described: Any) -> Iterator[tuple[Any, Array, float]]:
        apart = _apart(described, described)
        scales = [max(float(d.mean()), 1e-12) for d in apart]
        for mixture, length in product(MIXTURES[len(apart)], LENGTHS):
            weights = [w / (2.0 * length**2 * s) for w, s in zip(mixture, scales, strict=True)]
            yield tuple(weights), _decayed(weights, apart), 0.0 if mixture[0] == 1.0 else -STRONG

    def correlation(self, kernel: Any, some: Any, others: Any) -> Array:
        return _decayed(kernel, _apart(some, others))


MIXTURES = {1: ((1.0,),), 2: ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))}
"""Weights of (paths, answers), or of answers alone."""
STRONG = 3.0
"""The least logarithm of a Bayes factor that is called strong evidence (Kass & Raftery 1995): by so much
have answers to be the better description, since equal cells may have different ones."""


def _apart(some: Any, others: Any) -> list[Array]:
    return [squared_distances(x, y) for x, y in zip(some, others, strict=True)]


def _decayed(weights: Sequence[float], apart: Sequence[Array]) -> Array:
    total: Array = np.exp(-sum(w * d for w, d in zip(weights, apart, strict=True)))
    return total
