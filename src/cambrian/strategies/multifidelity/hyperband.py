"""Hyperband: Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, "Hyperband: A Novel Bandit-Based Approach to
Hyperparameter Optimization" (JMLR 2018), Algorithm 1: brackets of successive halving, from many architectures
at the lowest fidelity to few at the full one, in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

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


def _round_up(above: int, below: int) -> int:
    return -(-above // below)


# Three conventions are published for the number of architectures in the first rung of bracket s, whose
# resource is R * eta**-s: `width` is s_max + 1, `factor` is eta**s.
TABLES: Mapping[str, Callable[[int, int, int], int]] = {
    "journal": lambda width, s, factor: _round_up(width * factor, s + 1),
    "hpbandster": lambda width, s, factor: width // (s + 1) * factor,
    "syne-tune": lambda width, s, factor: _round_up(width, s + 1) * factor,
}
"""Algorithm 1 of the journal; HpBandSter's code, which is also that of the authors' first release; Syne
Tune's synchronous rungs."""


@dataclass(frozen=True)
class Hyperband(Climbing):
    """The best 1/`eta` of each rung go on. `table` is the published convention for the sizes of brackets:
    "journal", "hpbandster" or "syne-tune". Levels are along `axes` of the fidelity, each down to its `least`.
    After `passes` over all brackets it ends (None: with the budget)."""

    table: str = "journal"
    passes: Annotated[int | None, Span(1)] = None
    names: ClassVar[Mapping[str, tuple[str, Collection[str]]]] = {"table": ("table of brackets", TABLES)}

    def start(self, problem: Problem) -> State:
        return State(problem, self.make_ladder(problem))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        def draw() -> Architecture:
            return draw_new(state.problem.space, state.met, pending, rng)

        ended = end_after(state, self.passes, len(state.ladder))
        bracket = choose_bracket(state, self.eta, self.table)
        return ended or propose_next(state, bracket, pending, draw, self.axes)

    def learn(self, state: State, trial: Trial) -> State:
        return learn_entry(state, choose_bracket(state, self.eta, self.table), trial)

    def recommend(self, state: State) -> list[Architecture]:
        return recommend_best(state.best)

    def keeps(self, state: State) -> list[int]:
        return list_rows(state)


def choose_bracket(state: State, eta: int, table: str) -> Bracket:
    """The bracket that is under way: they take turns, the one with the most architectures first."""
    brackets = make_brackets(state.ladder, eta, table)
    return brackets[state.number % len(brackets)]


def make_brackets(ladder: Sequence[Level], eta: int, table: str = "journal") -> list[Bracket]:
    """All brackets of a pass, each from another level up to the highest.

    >>> from cambrian.outcome import Fidelity
    >>> ladder = [Level(Fidelity(epochs), depth) for epochs, depth in ((1, 2), (3, 1), (9, 0))]
    >>> [bracket.counts for bracket in make_brackets(ladder, 3)]
    [(9, 3, 1), (5, 1), (3,)]
    """
    brackets = []
    for first in range(len(ladder)):
        # Where a table skips levels, s counts those that there are, the factor those that were skipped too.
        deepest, s = ladder[first].depth, len(ladder) - 1 - first
        size = TABLES[table](len(ladder), s, eta**deepest)
        levels = range(first, len(ladder))
        counts = [max(1, size // eta ** (deepest - ladder[level].depth)) for level in levels]
        brackets.append(Bracket(tuple(levels), tuple(counts)))
    return brackets
