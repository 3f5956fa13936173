"""A predictor: an architecture is about as good as those it shares most answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cambrian.predictors.predictor import Prediction, read_lessons


@dataclass(frozen=True)
class Nearest:
    """The `neighbours` nearest ones: their mean, and how far they disagree."""

    neighbours: int = 3
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def start(self, space, seed, *purpose):
        return Learner(self.neighbours)


@dataclass(frozen=True)
class Learner:
    neighbours: int

    def fit(self, trials, former=None):
        architectures, values = read_lessons(trials)
        return Fitted(self.neighbours, tuple(architectures), tuple(values.tolist()))


@dataclass(frozen=True)
class Fitted:
    neighbours: int
    architectures: tuple
    values: tuple

    def predict(self, architectures):
        nearest = [self._values_near(architecture) for architecture in architectures]
        mean, deviation = (np.array([f(some) for some in nearest]) for f in (np.mean, np.std))
        return Prediction(mean, deviation)

    def _values_near(self, architecture):
        """Values of the nearest ones; of those as near as each other, of the earliest."""
        answers = set(architecture.items())
        apart = [len(answers ^ set(known.items())) for known in self.architectures]
        order = np.argsort(apart, kind="stable")[: self.neighbours]
        return [self.values[i] for i in order]
