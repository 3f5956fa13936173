"""The search of a space level by level, from small architectures to large ones: the loop of Algorithm 1 of
Liu et al., "Progressive Neural Architecture Search" (ECCV 2018).

Train all architectures of the first level; then fit surrogates, grow every one by one level, let the strategy
choose among all children, train those; and so on to level B. What is fitted, and which children are chosen,
is the strategy's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.problem import Objective, Problem
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.settings import Span
from cambrian.spaces.knowledge import Grows, Pool, know
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait
from cambrian.strategies.surrogates import make_surrogate, name_surrogate

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Candidate:
    """An architecture to train, the trial it grew from, and the surrogate's prediction: a value and
    its rank (from 1) among the scored children; None on the first level. `notes` are further facts for
    reports."""

    architecture: Architecture
    parent: int | None = None
    predicted: float | None = None
    rank: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """`queue` are the candidates of the current level, most promising first; `learned` are all trials so
    far. `surrogate` is None until the first level is trained. `pool` counts the children from which `queue`
    was chosen; `complete` is False if they were a sample. `finished` is the reason why the search ended."""

    space: Any
    grows: Grows
    seed: int
    trials: int | None
    levels: tuple[int, ...]
    queue: tuple[Candidate, ...]
    pool: int
    complete: bool
    learned: tuple[Trial, ...] = ()
    surrogate: Any = None
    finished: str | None = None
    objectives: tuple[Objective, ...] = (Objective(),)


KEEP = 256  # the paper's K (Sec. 5.1)
FIRST = 1024
"""Architectures of the first level if neither `first` nor the run's trials limit them."""

MOST_FIRST = 100_000
"""The hard limit on the first level: all its architectures are in memory before the first trial."""


@dataclass(frozen=True)
class LevelSearch(ABC):
    """The settings and the loop that all searches by levels have; for the settings see `Progressive`."""

    levels: Annotated[int | None, Span(1)] = None
    keep: Annotated[int | None, Span(1)] = None
    surrogate: Any = "mlp-ensemble"
    first: Annotated[int | None, Span(1, MOST_FIRST)] = None
    cap: Annotated[int | None, Span(1, 10_000_000)] = 500_000
    trials: Annotated[int | None, Span(1)] = None
    usual_keep: ClassVar[int] = KEEP
    """`keep` where neither it nor the run's trials are set."""

    @property
    def needs(self) -> tuple[type, ...]:
        """Levels, and the needs of the surrogate."""
        return (Grows, *make_surrogate(self.surrogate).needs)

    def __post_init__(self) -> None:
        check_settings(self)
        object.__setattr__(self, "surrogate", name_surrogate(self.surrogate))

    def start(self, problem: Problem) -> State:
        grows = know(problem.space, Grows)
        assert grows is not None  # see `needs`
        seed, trials = problem.seed, self.trials or problem.trials
        levels = tuple(grows.levels)
        if self.levels is not None and self.levels > len(levels):
            raise UsageError(
                f"strategy {name_of(self)!r}: levels is {self.levels}, but the space has {len(levels)} "
                f"({levels[0]} to {levels[-1]})"
            )
        levels = levels[: self.levels]
        pool = self._first(grows, levels, seed, trials)
        queue = tuple(Candidate(pool.architecture(i)) for i in range(len(pool)))
        return State(
            problem.space,
            grows,
            seed,
            trials,
            levels,
            queue,
            len(pool),
            pool.complete,
            objectives=problem.objectives,
        )

    def _first(self, grows: Grows, levels: Sequence[int], seed: int, trials: int | None) -> Pool:
        """The first level, or a sample of it. The sample is drawn directly, since a first level may be too
        large to enumerate."""

        def grow(cap: int | None) -> Pool:
            return grows.grow((), stream(seed, "progressive", "grow", levels[0]), cap=cap)

        if self.first or self.keep or trials is None or len(levels) == 1:
            return grow(self.first or FIRST)
        # A first level of up to three quarters of the run is trained as a whole. A larger one gets half of
        # the run, so that the levels above it have the other half.
        pool = grow(max(1, min(3 * trials // 4, MOST_FIRST)))
        return pool if pool.complete else grow(max(1, min(trials // 2, MOST_FIRST)))

    def count_kept(self, state: State) -> int:
        """The number of candidates to train at the next level."""
        if self.keep or state.trials is None:
            return self.keep or self.usual_keep
        left, levels = state.trials - len(state.learned), len(state.levels) - 1
        return max(1, -(-left // levels))  # rounded up: the last level may be the one that is cut short

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if state.finished:
            return Stop(state.finished)
        proposed = {t.architecture for t in (*state.learned, *pending)}
        for candidate in state.queue:
            if candidate.architecture not in proposed:
                return Evaluate(
                    candidate.architecture, parent=candidate.parent, reason=_reason(state, candidate)
                )
        # The next level grows from this one's outcomes, all of them: the paper's barrier between levels.
        return Wait()

    def learn(self, state: State, trial: Trial) -> State:
        state = replace(state, learned=(*state.learned, trial))
        measured = {t.architecture for t in state.learned}
        if state.finished or any(c.architecture not in measured for c in state.queue):
            return state
        return self._climb(state)

    def _climb(self, state: State) -> State:
        """The next level, once all of the queue is trained: fit, expand, score, keep some (one turn of
        Algorithm 1's loop)."""
        parents = _find_parents(state)
        if not parents:
            return replace(state, finished=f"nothing at level {state.levels[0]} could be measured")
        if len(state.levels) == 1:
            return replace(state, finished=f"level {state.levels[0]} is trained")
        levels = state.levels[1:]
        # Named after the level, not the trial: the pool is the same however many workers there were.
        rng = stream(state.seed, "progressive", "grow", levels[0])
        pool = state.grows.grow(tuple(parents), rng, cap=self.cap)
        if not len(pool):
            return replace(state, finished=f"nothing grows from level {state.levels[0]}")
        state = replace(state, surrogate=self.fit(state))
        queue = self.choose(state, pool, parents)
        return replace(state, levels=levels, queue=queue, pool=len(pool), complete=pool.complete)

    @abstractmethod
    def fit(self, state: State) -> Any:
        """The surrogates fitted on all trials so far; `state.surrogate` are those of the level before."""

    @abstractmethod
    def choose(self, state: State, pool: Pool, trials: Mapping[Architecture, int]) -> tuple[Candidate, ...]:
        """The children to train, most promising first, by the fitted `state.surrogate`. `trials` are the
        numbers of the trials of the pool's parents."""


def _find_parents(state: State) -> dict[Architecture, int]:
    """The current level's measured architectures, in the queue's order, and the numbers of their trials."""
    number = {t.architecture: t.number for t in state.learned if t.value is not None}
    queue = (c.architecture for c in state.queue)
    return {a: number[a] for a in queue if a in number}


def _reason(state: State, candidate: Candidate) -> dict[str, Any]:
    reason: dict[str, Any] = {"level": state.levels[0]}
    if candidate.rank is not None:
        reason |= {"predicted": candidate.predicted, "rank": candidate.rank, "of": state.pool}
    reason |= candidate.notes
    if not state.complete:
        reason["sampled"] = True
    return reason
