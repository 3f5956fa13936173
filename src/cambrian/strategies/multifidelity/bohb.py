"""BOHB: Falkner, Klein & Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale" (ICML
2018), Algorithm 2: Hyperband whose architectures are not drawn at random, but where the density of the good
ones is high against that of the bad ones. Details are those of its authors' code, HpBandSter.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import POSITIVE, Span
from cambrian.strategies.multifidelity.brackets import (
    State,
    draw_new,
    end_after,
    learn_entry,
    list_rows,
    propose_next,
    recommend_best,
)
from cambrian.strategies.multifidelity.climbing import Climbing
from cambrian.strategies.multifidelity.density import Coordinates, Density, Row, impute
from cambrian.strategies.multifidelity.hyperband import TABLES, choose_bracket
from cambrian.strategies.strategy import Proposal

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-32
"""The least density in a ratio."""


@dataclass(frozen=True)
class Observed:
    """The state of the brackets, and the observations by level: the score of each (-inf for a failed trial,
    which is a bad one) and its coordinates."""

    halving: State
    coordinates: Coordinates = field(default_factory=lambda: Coordinates({}, {}))
    seen: Mapping[int, tuple[tuple[float, Row], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The densities of the good and of the bad observations."""

    good: Density
    bad: Density

    def rank(self, vectors: NDArray[np.float64]) -> list[int]:
        """The places of the vectors, those with the highest ratio of the densities first."""
        ratio = np.maximum(TINY, self.bad.at(vectors)) / np.maximum(TINY, self.good.at(vectors))
        return [int(place) for place in np.argsort(ratio, kind="stable")]


@dataclass(frozen=True)
class BOHB(Climbing):
    """Hyperband's settings, and the model's: a proposal is random with the probability `random`, else the
    best of `candidates` by the densities of the `good` share of the observations and of the rest. Densities
    have a bandwidth of at least `bandwidth`. The model is of the highest level with enough observations: more
    than the number of questions in both sets."""

    table: str = "hpbandster"
    passes: Annotated[int | None, Span(1)] = None
    random: Annotated[float, Span(0, 1)] = 1 / 3
    candidates: Annotated[int, Span(1, 100_000)] = 64
    good: Annotated[float, Span(0, 1, above=True, below=True)] = 0.15
    bandwidth: Annotated[float, POSITIVE] = 1e-3
    names: ClassVar[Mapping[str, tuple[str, Collection[str]]]] = {"table": ("table of brackets", TABLES)}

    def start(self, problem: Problem) -> Observed:
        return Observed(State(problem, self.make_ladder(problem)))

    def propose(self, state: Observed, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        halving = state.halving
        ended = end_after(halving, self.passes, len(halving.ladder))
        bracket = choose_bracket(halving, self.eta, self.table)
        return ended or propose_next(
            halving, bracket, pending, lambda: self._draw(state, pending, rng), self.axes
        )

    def learn(self, state: Observed, trial: Trial) -> Observed:
        halving = state.halving
        bracket = choose_bracket(halving, self.eta, self.table)
        level = bracket.levels[halving.rung]
        coordinates, row = state.coordinates.add(halving.problem.space, trial.architecture)
        observed = (-math.inf if trial.score is None else trial.score, row)
        return replace(
            state,
            halving=learn_entry(halving, bracket, trial),
            coordinates=coordinates,
            seen={**state.seen, level: (*state.seen.get(level, ()), observed)},
        )

    def recommend(self, state: Observed) -> list[Architecture]:
        return recommend_best(state.halving.best)

    def keeps(self, state: Observed) -> list[int]:
        return list_rows(state.halving)

    def _draw(self, state: Observed, pending: Sequence[Trial], rng: np.random.Generator) -> Architecture:
        """The best new candidate of the model, or a random architecture."""
        space, met = state.halving.problem.space, state.halving.met
        model = None if rng.random() < self.random else self.fit(state, rng)
        if model is not None:
            vectors = np.array([model.good.draw(rng) for _ in range(self.candidates)])
            taken = met | {trial.architecture.key for trial in pending}
            for place in model.rank(vectors):
                architecture = state.coordinates.walk(space, vectors[place], rng)
                # A repeat would be looked up, and its place in the rung lost.
                if architecture is not None and architecture.key not in taken:
                    return architecture
        return draw_new(space, met, pending, rng)

    def fit(self, state: Observed, rng: np.random.Generator) -> Model | None:
        """The model of the highest level with enough observations; None where no level has them."""
        for level in sorted(state.seen, reverse=True):
            model = self._fit_level(state, state.seen[level], rng)
            if model is not None:
                return model
        return None

    def _fit_level(
        self, state: Observed, seen: Sequence[tuple[float, Row]], rng: np.random.Generator
    ) -> Model | None:
        paths, options = state.coordinates.paths, state.coordinates.count_options()
        rows = [row for _, row in sorted(seen, key=lambda each: -each[0])]
        # As many as the share says, and no fewer than a density over so many paths needs.
        fewest = len(paths) + 1
        first = max(fewest, int(self.good * len(rows)))
        best, rest = rows[:first], rows[first : first + max(fewest, int((1 - self.good) * len(rows)))]
        if min(len(best), len(rest)) <= len(paths):
            return None
        good, bad = (impute(part, paths, options, rng) for part in (best, rest))
        return Model(Density(good, options, self.bandwidth), Density(bad, options, self.bandwidth))
