"""A random forest with deviations, by the law of total variance over its trees (Hutter, Xu, Hoos &
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
"""The value of a feature for an architecture that was not asked its question."""


@dataclass(frozen=True)
class RandomForest:
    """`trees` on the answers of an architecture. The seed draws the bootstraps and the features of splits."""

    trees: int = 30
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.trees >= 2:
            raise UsageError(f"predictor 'forest': trees is at least 2, got {self.trees}")

    def start(self, space: Space, seed: int, *purpose: int | str) -> ForestLearner:
        return ForestLearner(
            self, space, integer_seed(seed, *purpose) % 2**32
        )  # scikit-learn has 32-bit seeds


@dataclass(frozen=True)
class ForestLearner:
    """A forest on a space."""

    predictor: RandomForest
    space: Any
    seed: int

    def fit(self, trials: Sequence[Trial], former: Any = None) -> FittedForest:
        """A new forest, independent of the former one."""
        architectures, values = read_lessons(trials)
        vectors = [answers_of(self.space, a) for a in architectures]
        return FittedForest(self.space, grow(vectors, values, self.predictor.trees, self.seed))


@dataclass(frozen=True)
class FittedForest:
    """A grown forest that predicts architectures of `space`."""

    space: Any
    forest: Forest

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        if not len(architectures):
            return Prediction(np.zeros(0), np.zeros(0))
        return Prediction(*self.forest.predict([answers_of(self.space, a) for a in architectures]))


@dataclass(frozen=True)
class Forest:
    """`columns` maps a feature to its input; `leaves[t]` is float[nodes, 2], the mean and the variance of the
    values in each node of tree t."""

    columns: dict[Hashable, int]
    trees: tuple[Any, ...]
    leaves: tuple[Array, ...]

    def predict(self, vectors: Sequence[Vector]) -> tuple[Array, Array]:
        """The means float[n] and the standard deviations float[n]."""
        rows = dense(self.columns, vectors, ABSENT).astype(np.float32)
        each = np.stack([leaf[tree.apply(rows)] for tree, leaf in zip(self.trees, self.leaves, strict=True)])
        # Total variance: the mean of the leaves' variances plus the variance of their means.
        mean: Array = each[..., 0].mean(axis=0)
        variance = each[..., 1].mean(axis=0) + each[..., 0].var(axis=0)
        return mean, np.sqrt(np.maximum(variance, 1e-12))


def grow(vectors: Sequence[Vector], values: Array, trees: int, seed: int) -> Forest:
    """A forest of bootstrapped trees that consider five sixths of the features at every split, and do not
    split three values or fewer, as in SMAC."""
    from sklearn.ensemble import RandomForestRegressor

    columns = columns_of(vectors)
    forest = RandomForestRegressor(
        n_estimators=trees, max_features=5 / 6, min_samples_split=4, random_state=seed, n_jobs=1
    ).fit(dense(columns, vectors, ABSENT), values)
    grown = tuple(estimator.tree_ for estimator in forest.estimators_)
    # With squared error as its criterion, a node's impurity is the variance of its values.
    leaves = tuple(np.column_stack([t.value[:, 0, 0], t.impurity]) for t in grown)
    return Forest(columns, grown, leaves)
