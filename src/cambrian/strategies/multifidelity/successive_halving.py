"""Successive halving: Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization" (AISTATS 2016), Figure 1: many random architectures at a low fidelity, the best 1/eta of them at
eta times the cost, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.multifidelity.brackets import (
    Bracket,
    State,
    draw_new,
    end_after,
    learn_entry,
    list_rows,
    propose_next,
    recommend_best,
)
from cambrian.strategies.multifidelity.climbing import Climbing
from cambrian.strategies.multifidelity.ladder import Level
from cambrian.strategies.strategy import Proposal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class SuccessiveHalving(Climbing):
    """`size` architectures begin at the lowest level (None: as many as leave one at the highest), of which
    the best 1/`eta` go on at each. Levels are along `axes` of the fidelity, each down to its `least`. After
    `passes` it ends (None: with the budget)."""

    size: Annotated[int | None, Span(1, 1_000_000)] = None
    passes: Annotated[int | None, Span(1)] = None

    def start(self, problem: Problem) -> State:
        return State(problem, self.make_ladder(problem))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        def draw() -> Architecture:
            return draw_new(state.problem.space, state.met, pending, rng)

        ended = end_after(state, self.passes, 1)
        return ended or propose_next(state, self.bracket(state.ladder), pending, draw, self.axes)

    def learn(self, state: State, trial: Trial) -> State:
        return learn_entry(state, self.bracket(state.ladder), trial)

    def recommend(self, state: State) -> list[Architecture]:
        return recommend_best(state.best)

    def keeps(self, state: State) -> list[int]:
        return list_rows(state)

    def bracket(self, ladder: Sequence[Level]) -> Bracket:
        """The number of architectures at each level of the ladder.

        >>> from cambrian.outcome import Fidelity
        >>> levels = [Level(Fidelity(), depth) for depth in (2, 1, 0)]
        >>> SuccessiveHalving().bracket(levels).counts, SuccessiveHalving(size=20).bracket(levels).counts
        ((9, 3, 1), (20, 6, 2))
        """
        deepest = ladder[0].depth
        size = self.size or self.eta**deepest
        counts = [max(1, size // self.eta ** (deepest - level.depth)) for level in ladder]
        return Bracket(tuple(range(len(ladder))), tuple(counts))
