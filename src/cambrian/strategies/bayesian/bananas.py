"""BANANAS: White, Neiswanger & Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural
Architecture Search" (AAAI 2021): an ensemble of networks that read path encodings, independent Thompson
sampling, candidates that are mutations of the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.predictors.path_ensemble import PathEnsemble
from cambrian.settings import Span
from cambrian.strategies.bayesian.acquisitions import draw_hopes, score_lessons
from cambrian.strategies.bayesian.candidates import Acquisition, Climb
from cambrian.strategies.bayesian.model_based import ModelBased, State
from cambrian.strategies.settings import check_weights

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class BANANAS(ModelBased):
    """`members` networks of `layers` times `width` units, trained for `epochs` epochs after every `refit`
    trials. A feature says whether a path is present; for a space without graphs, a path of the tree of
    answers."""

    refit: int = 10
    members: Annotated[int, Span(1, 100)] = 5
    layers: Annotated[int, Span(1, 100)] = 10
    width: Annotated[int, Span(1, 1000)] = 20
    epochs: Annotated[int, Span(1, 10_000)] = 150
    climb: ClassVar[Climb] = Climb(rounds=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        networks = f"{self.members} members of {self.layers} layers of {self.width} units"
        check_weights(self, self.members * self.layers * self.width**2, networks)

    @staticmethod
    def paper() -> BANANAS:
        """10 random architectures first, then ten between fits of five networks (Sec. 5)."""
        return BANANAS(initial=10, refit=10)

    def fit(self, state: State) -> Any:
        predictor = PathEnsemble(self.members, self.layers, self.width, self.epochs, standardise=False)
        learner = predictor.start(state.space, state.seed, "bananas", "fit", len(state.trials))
        return learner.fit(score_lessons(self.lessons(state.trials)))

    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        return draw_hopes(state.model, rng)
