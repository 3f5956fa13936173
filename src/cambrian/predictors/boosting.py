"""Gradient-boosted trees with deviations, by an ensemble on bootstraps (Friedman 2001; White et al. 2021,
arXiv 2104.01177, where LightGBM and NGBoost are among the best predictors of NAS-Bench-201)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.errors import MissingExtra, UsageError
from cambrian.predictors.feature_sources import ANSWERS, check_sources
from cambrian.predictors.features import Vector, columns_of, dense
from cambrian.predictors.forest import ABSENT
from cambrian.predictors.predictor import Values
from cambrian.predictors.vector_learner import VectorLearner
from cambrian.randomness import integer_seed
from cambrian.settings import COUNT, Span, check_settings

if TYPE_CHECKING:
    from cambrian.spaces.space import Space

LIBRARIES = ("scikit-learn", "lightgbm")
PART = Span(0, 1, above=True)
LEAST = 1e-6
"""The least deviation, where the members agree."""


@dataclass(frozen=True)
class Boosting:
    """`members` models of `trees` boosted trees of `depth`, each on a bootstrap of the trials; the mean is
    theirs, the deviation how far they disagree. `features` are sources: answers, paths, curve, or functions
    (space, architecture). `library` is scikit-learn, or lightgbm (an extra), which is faster on thousands of
    trials."""

    trees: Annotated[int, COUNT] = 100
    depth: Annotated[int, Span(1, 20)] = 4
    rate: Annotated[float, PART] = 0.1
    share: Annotated[float, PART] = 0.7
    members: Annotated[int, Span(2, 100)] = 5
    features: tuple[Any, ...] = (ANSWERS,)
    library: str = "scikit-learn"
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self, "predictor 'boosting'")
        check_sources("boosting", self.features)
        if self.library not in LIBRARIES:
            raise UsageError(
                f"predictor 'boosting': library is {' or '.join(LIBRARIES)}, got {self.library!r}"
            )

    def start(self, space: Space, seed: int, *purpose: int | str) -> VectorLearner:
        return VectorLearner(self, space, integer_seed(seed, *purpose) % 2**31)  # 31 bits in both libraries

    def fit_vectors(self, vectors: Sequence[Vector], values: Values, seed: int) -> Boosted:
        columns = columns_of(vectors)
        rows = dense(columns, vectors, ABSENT)
        return Boosted(columns, tuple(self._fit_one(rows, values, seed, n) for n in range(self.members)))

    def _fit_one(self, rows: Values, values: Values, seed: int, number: int) -> Any:
        # A bootstrap, so that the members disagree where there are few trials.
        chosen = np.random.default_rng((seed, number)).integers(len(values), size=len(values))
        # A single trial cannot be divided into a part for a tree and a rest.
        share = self.share if 0 < int(self.share * len(values)) < len(values) else 1.0
        return self._make((seed + number) % 2**31, share).fit(rows[chosen], values[chosen])

    def _make(self, seed: int, share: float) -> Any:
        shared = {"n_estimators": self.trees, "max_depth": self.depth, "learning_rate": self.rate}
        if self.library == "scikit-learn":
            from sklearn.ensemble import GradientBoostingRegressor

            # Half of the features at each split: as in a forest, the trees then differ.
            return GradientBoostingRegressor(**shared, subsample=share, max_features=0.5, random_state=seed)
        return _import_lightgbm().LGBMRegressor(
            **shared,
            subsample=share,
            subsample_freq=1,
            min_child_samples=5,
            random_state=seed,
            n_jobs=1,
            verbose=-1,
            deterministic=True,
        )


def _import_lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise MissingExtra("lightgbm", "lightgbm", "predictor 'boosting' with library=lightgbm") from None
    return lightgbm


@dataclass(frozen=True)
class Boosted:
    """`columns` maps a feature to its input."""

    columns: dict[Hashable, int]
    members: tuple[Any, ...]

    def predict(self, vectors: Sequence[Vector]) -> tuple[Values, Values]:
        rows = dense(self.columns, vectors, ABSENT)
        each = np.stack([member.predict(rows) for member in self.members])
        mean: Values = each.mean(axis=0)
        return mean, np.maximum(each.std(axis=0), LEAST)
