"""Sequential model-based optimisation with a random forest: Hutter, Hoos & Leyton-Brown, "Sequential
Model-Based Optimization for General Algorithm Configuration" (SMAC, LION 2011), in its form for one
instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.predictors.features import answers_of
from cambrian.predictors.forest import Forest, grow
from cambrian.predictors.gaussian_process import expected_improvement, normal_scores
from cambrian.randomness import integer_seed
from cambrian.settings import Span
from cambrian.strategies.bayesian.candidates import Acquisition
from cambrian.strategies.bayesian.model_based import Known, ModelBased, State, unknown
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SMAC(ModelBased):
    """`trees` of the forest, which learns normal scores where the paper has it learn logarithms: a few broken
    networks must not set the scale. A fraction `random` of the proposals is drawn at random in between. What
    is pending is not told apart from what is not, but never proposed again."""

    trees: Annotated[int, Span(2, 10_000)] = 30
    random: Annotated[float, Span(0, 1, below=True)] = 0.1

    @staticmethod
    def paper() -> SMAC:
        """10 trees, every other proposal at random (Sec. 4.1 and 4.3)."""
        return SMAC(trees=10, random=0.5, refit=1)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if rng.random() < self.random:
            return Evaluate(unknown(state.space, Known(state.space, [*state.trials, *pending]), rng))
        return super().propose(state, pending, rng)

    def fit(self, state: State) -> Forest:
        architectures, values = self.lessons(state.trials)
        seed = integer_seed(state.seed, "smac", "forest", len(state.trials)) % 2**32
        return grow(
            [answers_of(state.space, a) for a in architectures], normal_scores(values), self.trees, seed
        )

    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        forest: Forest = state.model
        best = float(normal_scores(self.lessons(state.trials)[1]).max())

        def hope(candidates: Sequence[Architecture]) -> NDArray[np.float64]:
            mean, deviation = forest.predict([answers_of(state.space, a) for a in candidates])
            return expected_improvement(mean, deviation, best)

        return hope
