"""Progressive search: Liu et al., "Progressive Neural Architecture Search" (ECCV 2018), Algorithm 1.

Train all architectures of the first level; fit a surrogate; grow every one by one level, score all
children with the surrogate, train the K best; refit; and so on to level B. On any space that grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.predictor import score_pool
from cambrian.randomness import integer_seed
from cambrian.spaces.knowledge import Pool
from cambrian.strategies.progression.level_search import KEEP, Candidate, LevelSearch, State
from cambrian.strategies.surrogates import make_surrogate


@dataclass(frozen=True)
class Progressive(LevelSearch):
    """`levels` is the paper's B (None: all levels of the space), `keep` its K. `first` limits the first
    level to a seeded sample (None: of 1,024), `cap` the children scored per level.

    If `keep` is None, it is the paper's 256, or the rest of the run's `trials` divided evenly among the
    remaining levels: trials that a small level cannot use go to the levels above it, and the last level is
    always reached. To that end a first level that would take most of the run is cut to half of the trials.

    The surrogate learns an infeasible trial as the worst finite value known; a crashed one says nothing of
    its architecture and is left out. Neither has children.

    `surrogate` is any predictor. If it does not have a `score` for pools, each child is encoded separately,
    which takes minutes for hundreds of thousands: lower `cap` then."""

    @staticmethod
    def paper() -> Progressive:
        """B = 5, K = 256, the ensemble of MLPs (Sec. 5.1) that starts at the paper's accuracies."""
        return Progressive(levels=5, keep=KEEP, surrogate="mlp-ensemble-paper")

    def fit(self, state: State) -> Any:
        """The surrogate fitted on all trials so far; from the second level on it starts from its former
        weights: the paper's fine-tuning, which is by the new level alone (Algorithm 1), but by all levels."""
        seed = integer_seed(state.seed, "progressive", "surrogate")
        learner = make_surrogate(self.surrogate).start(state.space, seed)
        return learner.fit(state.learned, state.surrogate)

    def choose(self, state: State, pool: Pool, trials: Mapping[Architecture, int]) -> tuple[Candidate, ...]:
        """The `keep` best children, best first; of equal scores the earlier child goes first."""
        scores = score_pool(state.surrogate, pool)
        # Stable, so that ties do not depend on the sorting algorithm of a NumPy version.
        order = np.argsort(-scores, kind="stable")[: self.count_kept(state)].tolist()
        return tuple(
            Candidate(pool.architecture(i), trials[pool.parents[pool.parent[i]]], float(scores[i]), rank)
            for rank, i in enumerate(order, start=1)
        )
