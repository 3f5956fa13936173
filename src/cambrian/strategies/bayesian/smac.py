"""Sequential model-based optimisation with a random forest: Hutter, Hoos & Leyton-Brown, "Sequential
Model-Based Optimization for General Algorithm Configuration" (SMAC, LION 2011), in its form for one
instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.predictors.forest import RandomForest
from cambrian.settings import Span
from cambrian.strategies.bayesian.acquisitions import hope_to_improve, score_lessons
from cambrian.strategies.bayesian.candidates import Acquisition
from cambrian.strategies.bayesian.model_based import Known, ModelBased, State, draw_unknown
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SMAC(ModelBased):
    """`trees` is the size of the forest, which learns normal scores instead of the paper's logarithms, so
    that a few broken networks do not set the scale. A fraction `random` of the proposals is random. The
    forest does not know of pending trials; they are only not proposed again."""

    trees: Annotated[int, Span(2, 10_000)] = 30
    random: Annotated[float, Span(0, 1, below=True)] = 0.1

    @staticmethod
    def paper() -> SMAC:
        """10 trees, every other proposal at random (Sec. 4.1 and 4.3)."""
        return SMAC(trees=10, random=0.5, refit=1)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        # Interleaved random proposals keep the search from trusting a wrong model for ever (Sec. 4.3).
        if rng.random() < self.random:
            return Evaluate(draw_unknown(state.space, Known(state.space, [*state.trials, *pending]), rng))
        return super().propose(state, pending, rng)

    def fit(self, state: State) -> Any:
        forest = RandomForest(self.trees)
        learner = forest.start(state.space, state.seed, "smac", "forest", len(state.trials))
        return learner.fit(score_lessons(self.lessons(state.trials)))

    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        return hope_to_improve(state.model, self.lessons(state.trials), pending)
