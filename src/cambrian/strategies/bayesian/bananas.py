"""BANANAS: White, Neiswanger & Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural
Architecture Search" (AAAI 2021): an ensemble of networks that read path encodings, independent Thompson
sampling, candidates that are mutations of the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.deep_ensemble import Ensemble, Network, train
from cambrian.predictors.features import Vector, graph_of, memoise
from cambrian.predictors.gaussian_process import normal_scores
from cambrian.predictors.paths import path_counts
from cambrian.randomness import stream
from cambrian.settings import Span
from cambrian.strategies.bayesian.candidates import Acquisition, Climb
from cambrian.strategies.bayesian.model_based import ModelBased, State
from cambrian.strategies.settings import check_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class BANANAS(ModelBased):
    """`members` networks of `layers` times `width` units, trained for `epochs` each time `refit` more trials
    are known. A path is there or not; a space without graphs gives those of its trees of answers."""

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

    def fit(self, state: State) -> Ensemble:
        architectures, values = self.lessons(state.trials)
        network = Network(self.members, self.layers, self.width, self.epochs)
        vectors = [_bits(state.space, a) for a in architectures]
        rng = stream(state.seed, "bananas", "fit", len(state.trials))
        return train(vectors, normal_scores(values), network, rng)

    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        """Independent Thompson sampling: a draw from N(mean, variance of the members) for each. Draws
        differ, and so do the proposals made while others are pending."""
        ensemble: Ensemble = state.model

        def hope(candidates: Sequence[Architecture]) -> NDArray[np.float64]:
            each = ensemble.predict([_bits(state.space, a) for a in candidates])
            drawn: NDArray[np.float64] = rng.normal(each.mean(axis=0), each.std(axis=0))
            return drawn

        return hope


@memoise
def _bits(space: Any, architecture: Architecture) -> Vector:
    return dict.fromkeys(path_counts(graph_of(space, architecture)), 1.0)
