"""A random forest that knows how sure it is: the law of total variance over its trees (Hutter, Xu, Hoos &
Leyton-Brown, "Algorithm runtime prediction", AIJ 2014, Sec. 4.3.2).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.predictors.features import Vector, answers_of, columns_of, dense
from cambrian.predictors.predictor import Prediction, read_lessons
from cambrian.randomness import integer_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space

    Array = NDArray[np.float64]

ABSENT = -1.0
"""The value of a feature that an architecture has not: a question it was not asked."""


@dataclass(frozen=True)
class RandomForest:
    """`trees` on the answers of an architecture. The seed draws the bootstraps and the features asked."""

    trees: int = 30
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.trees >= 2:
            raise UsageError(f"predictor 'forest': trees is at least 2, got {self.trees}")

    def start(self, space: Space, seed: int, *purpose: int | str) -> ForestLearner:
        return ForestLearner(self, space, integer_seed(seed, *purpose) % 2**32)  # scikit-learn's seeds


@dataclass(frozen=True)
class ForestLearner:
    """A forest on a space."""

    predictor: RandomForest
    space: Any
    seed: int

    def fit(self, trials: Sequence[Trial], former: Any = None) -> FittedForest:
        """Grown from nothing, whatever the former trees were."""
        architectures, values = read_lessons(trials)
        vectors = [answers_of(self.space, a) for a in architectures]
        return FittedForest(self.space, grow(vectors, values, self.predictor.trees, self.seed))


@dataclass(frozen=True)
class FittedForest:
    """A grown forest that is asked about architectures of `space`."""

    space: Any
    forest: Forest

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        if not len(architectures):
            return Prediction(np.zeros(0), np.zeros(0))
        return Prediction(*self.forest.predict([answers_of(self.space, a) for a in architectures]))


@dataclass(frozen=True)
class Forest:
    """`columns` says where a feature goes; `leaves[t]` are float[nodes, 2], the mean and the variance of
    what fell into each node of tree t."""

    columns: dict[Hashable, int]
    trees: tuple[Any, ...]
    leaves: tuple[Array, ...]

    def predict(self, vectors: Sequence[Vector]) -> tuple[Array, Array]:
        """float[n] means and standard deviations."""
        rows = dense(self.columns, vectors, ABSENT).astype(np.float32)
        each = np.stack([leaf[tree.apply(rows)] for tree, leaf in zip(self.trees, self.leaves, strict=True)])
        mean: Array = each[..., 0].mean(axis=0)
        variance = each[..., 1].mean(axis=0) + each[..., 0].var(axis=0)
        return mean, np.sqrt(np.maximum(variance, 1e-12))


def grow(vectors: Sequence[Vector], values: Array, trees: int, seed: int) -> Forest:
    """A forest of bootstrapped trees that ask five sixths of the features at every split and stop at
    three values or fewer, as SMAC's do."""
    from sklearn.ensemble import RandomForestRegressor

    columns = columns_of(vectors)
    forest = RandomForestRegressor(
        n_estimators=trees, max_features=5 / 6, min_samples_split=4, random_state=seed, n_jobs=1
    ).fit(dense(columns, vectors, ABSENT), values)
    grown = tuple(estimator.tree_ for estimator in forest.estimators_)
    leaves = tuple(np.column_stack([t.value[:, 0, 0], t.impurity]) for t in grown)
    return Forest(columns, grown, leaves)
