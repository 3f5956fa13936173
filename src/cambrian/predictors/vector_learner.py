"""Predictors that learn vectors of features: they fit a model, and this describes architectures for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.predictors.feature_sources import Features, read_vectors
from cambrian.predictors.features import Vector
from cambrian.predictors.predictor import Prediction, Values


class VectorModel(Protocol):
    """A fitted model."""

    def predict(self, vectors: Sequence[Vector]) -> tuple[Values, Values]:
        """The means float[n] and the standard deviations float[n]."""
        ...


class VectorPredictor(Protocol):
    """A predictor on vectors: its settings, of which `features` are sources (see `feature_sources`)."""

    @property
    def features(self) -> tuple[Any, ...]: ...

    def fit_vectors(self, vectors: Sequence[Vector], values: Values, seed: int) -> VectorModel: ...


@dataclass(frozen=True)
class VectorLearner:
    """A predictor on vectors, on a space."""

    predictor: VectorPredictor
    space: Any
    seed: int

    def fit(self, trials: Sequence[Trial], former: Any = None) -> FittedVectors:
        """A new model, independent of the former one."""
        features, vectors, values = read_vectors(self.space, self.predictor.features, trials)
        return FittedVectors(features, self.predictor.fit_vectors(vectors, values, self.seed))


@dataclass(frozen=True)
class FittedVectors:
    """A fitted model, and the features that it reads."""

    features: Features
    model: VectorModel

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        if not len(architectures):
            return Prediction(np.zeros(0), np.zeros(0))
        return Prediction(*self.model.predict([self.features.describe(a) for a in architectures]))
