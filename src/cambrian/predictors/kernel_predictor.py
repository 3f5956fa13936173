"""A Gaussian process on architectures as a predictor, for any kernel.

The kernel's settings are the likeliest of a grid, fitted to normal scores: only the order of the values
counts, so that a few broken networks at the bottom do not set the scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.outliers import lift_outliers
from cambrian.predictors.gaussian_process import (
    Posterior,
    likeliest,
    normal_scores,
    posterior,
    solve_factor,
)
from cambrian.predictors.predictor import Prediction, Values, read_lessons
from cambrian.predictors.unit import Unit
from cambrian.randomness import stream

if TYPE_CHECKING:
    from cambrian.spaces.space import Space

CERTAIN = 1e-4
"""The noise of a value that is taken for certain, in units of the signal: architectures that are the same
graph have the same row of covariances, which cannot be inverted without any."""
ENOUGH = 200
"""The most trials for fitting a kernel's settings, which are few; the cost grows with the cube of the
number."""


@dataclass(frozen=True)
class KernelPredictor(ABC):
    """A kernel adds the description of architectures and their correlations. With `standardise` values are
    scaled to mean 0 and variance 1, the prior of the process; without it they must be normal scores
    already."""

    standardise: bool = True
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    @abstractmethod
    def describe(self, space: Any, architectures: Sequence[Architecture]) -> Any:
        """The features of architectures that the kernel compares."""

    @abstractmethod
    def kernels(self, described: Any) -> Iterator[tuple[Any, Values, float]]:
        """The grid of settings, each with its correlations float[n, n] and its log prior."""

    @abstractmethod
    def correlation(self, kernel: Any, some: Any, others: Any) -> Values:
        """The correlations float[n, m] under the settings `kernel`; 1 of an architecture with itself."""

    def bound(self, values: Values) -> Values:
        """The values to learn: of those that are scaled none is far out."""
        return lift_outliers(values) if self.standardise else values

    def start(self, space: Space, seed: int, *purpose: int | str) -> KernelLearner:
        return KernelLearner(self, space, seed, purpose)


@dataclass(frozen=True)
class KernelLearner:
    """A Gaussian process on a space. If there are many trials, the seed draws those that settings are fitted
    to."""

    predictor: KernelPredictor
    space: Any
    seed: int
    purpose: tuple[int | str, ...] = ()

    def fit(self, trials: Sequence[Trial], former: Any = None) -> FittedGaussian:
        """A process with the likeliest settings of the grid, independent of the former ones."""
        architectures, values = read_lessons(trials)
        values = self.predictor.bound(values)
        unit = Unit.of(values) if self.predictor.standardise else Unit()
        targets = tuple(unit.shrink(values).tolist())
        kernel, signal, noise = self._fit_settings(architectures, values)
        known = tuple(architectures)
        return FittedGaussian(self.predictor, self.space, kernel, signal, noise, unit, known, targets)

    def _fit_settings(
        self, architectures: Sequence[Architecture], values: Values
    ) -> tuple[Any, float, float]:
        if len(values) > ENOUGH:  # before the normal scores, which are then those of the drawn trials
            chosen = stream(self.seed, *self.purpose).permutation(len(values))[:ENOUGH]
            architectures, values = [architectures[i] for i in chosen], values[chosen]
        described = self.predictor.describe(self.space, architectures)
        return likeliest(self.predictor.kernels(described), normal_scores(values))


@dataclass(frozen=True)
class FittedGaussian:
    """A kernel's settings, its variance, that of the noise, and the known targets float[n], in `unit`, of n
    architectures."""

    predictor: KernelPredictor
    space: Any
    kernel: Any
    signal: float
    noise: float
    unit: Unit
    architectures: tuple[Architecture, ...]
    targets: tuple[float, ...]

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        if not len(architectures):  # kernels compare at least one
            return Prediction(np.zeros(0), np.zeros(0))
        described = self.predictor.describe(self.space, architectures)
        across = self._covariance(described, self._described)
        mean, deviation = self._process.mean(across), self._process.deviation(across)
        return Prediction(self.unit.stretch(mean), self.unit.one * deviation)

    def condition(self, trials: Sequence[Trial]) -> FittedGaussian:
        """The same process conditioned on `trials` and no others, in the unit of the fit."""
        architectures, values = read_lessons(trials)
        targets = tuple(self.unit.shrink(self.predictor.bound(values)).tolist())
        return replace(self, architectures=tuple(architectures), targets=targets)

    def draw(self, architectures: Sequence[Architecture], count: int, rng: np.random.Generator) -> Values:
        """Joint draws float[count, n] from the posterior of the architectures' values without noise."""
        described = self.predictor.describe(self.space, architectures)
        across = self._covariance(described, self._described).astype(np.float64)
        among = self._covariance(described, described).astype(np.float64)
        explained = solve_factor(self._process.factor, across)
        root = _find_root(among - explained.T @ explained)
        means = self._process.mean(across)
        values: Values = means + rng.standard_normal((count, len(means))) @ root.T
        return self.unit.stretch(values)

    def suppose(self, architectures: Sequence[Architecture], values: Values) -> FittedGaussian:
        """The same process conditioned on these values, known without noise."""
        targets = tuple(self.unit.shrink(values).tolist())
        return replace(self, architectures=tuple(architectures), targets=targets, noise=CERTAIN * self.signal)

    # Computed when first used: a strategy fits often, and mostly conditions before it predicts.
    @cached_property
    def _described(self) -> Any:
        return self.predictor.describe(self.space, self.architectures)

    @cached_property
    def _process(self) -> Posterior:
        among = self._covariance(self._described, self._described)
        return posterior(among, self.noise, self.signal, np.array(self.targets))

    def _covariance(self, some: Any, others: Any) -> Values:
        return self.signal * self.predictor.correlation(self.kernel, some, others)


def _find_root(covariance: Values) -> Values:
    """A matrix whose product with its transpose is the covariance, which rounding may leave indefinite."""
    values, vectors = np.linalg.eigh(covariance)
    root: Values = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
