"""A random forest with deviations, by the law of total variance over its trees (Hutter, Xu, Hoos &
Leyton-Brown, "Algorithm runtime prediction", AIJ 2014, Sec. 4.3.2).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.errors import UsageError
from cambrian.predictors.feature_sources import ANSWERS, check_sources
from cambrian.predictors.features import Vector, columns_of, dense
from cambrian.predictors.vector_learner import VectorLearner
from cambrian.randomness import integer_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space

    Array = NDArray[np.float64]

ABSENT = -1.0
"""The value of a feature for an architecture that was not asked its question."""


@dataclass(frozen=True)
class RandomForest:
    """`trees` on the answers of an architecture, or on other `features`: answers, paths, curve, or functions
    (space, architecture). The seed draws the bootstraps and the features of splits."""

    trees: int = 30
    features: tuple[Any, ...] = field(default=(ANSWERS,), metadata={"later": True})
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.trees >= 2:
            raise UsageError(f"predictor 'forest': trees is at least 2, got {self.trees}")
        check_sources("forest", self.features)

    def start(self, space: Space, seed: int, *purpose: int | str) -> VectorLearner:
        # scikit-learn has 32-bit seeds
        return VectorLearner(self, space, integer_seed(seed, *purpose) % 2**32)

    def fit_vectors(self, vectors: Sequence[Vector], values: Array, seed: int) -> Forest:
        return grow(vectors, values, self.trees, seed)


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
