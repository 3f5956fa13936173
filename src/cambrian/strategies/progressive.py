"""Progressive search: Liu et al., "Progressive Neural Architecture Search" (ECCV 2018), Algorithm 1.

Train all architectures of the first level; fit a surrogate; grow every one by one level, score all
children with the surrogate, train the K best; refit; and so on to level B. On any space that grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.predictors.predictor import score_pool
from cambrian.problem import Problem
from cambrian.randomness import integer_seed, stream
from cambrian.settings import Span
from cambrian.spaces.knowledge import Grows, Pool, know
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait
from cambrian.strategies.surrogates import make_surrogate, name_surrogate

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Candidate:
    """An architecture to train, the trial it grew from, and the surrogate's prediction: a value and
    its rank (from 1) among the scored children; None on the first level."""

    architecture: Architecture
    parent: int | None = None
    predicted: float | None = None
    rank: int | None = None


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


KEEP = 256  # the paper's K (Sec. 5.1)
FIRST = 1024
"""Architectures of the first level if neither `first` nor the run's trials limit them."""

MOST_FIRST = 100_000
"""The hard limit on the first level: all its architectures are in memory before the first trial."""


@dataclass(frozen=True)
class Progressive:
    """`levels` is the paper's B (None: all levels of the space), `keep` its K. `first` limits the first
    level to a seeded sample (None: of 1,024), `cap` the children scored per level.

    If `keep` is None, it is the paper's 256, or the rest of the run's `trials` divided evenly among the
    remaining levels: trials that a small level cannot use go to the levels above it, and the last level is
    always reached. To that end a first level that would take most of the run is cut to half of the trials.

    The surrogate learns an infeasible trial as the worst finite value known; a crashed one says nothing of
    its architecture and is left out. Neither has children.

    `surrogate` is any predictor. If it does not have a `score` for pools, each child is encoded separately,
    which takes minutes for hundreds of thousands: lower `cap` then."""

    levels: Annotated[int | None, Span(1)] = None
    keep: Annotated[int | None, Span(1)] = None
    surrogate: Any = "mlp-ensemble"
    first: Annotated[int | None, Span(1, MOST_FIRST)] = None
    cap: Annotated[int | None, Span(1, 10_000_000)] = 500_000
    trials: Annotated[int | None, Span(1)] = None

    @property
    def needs(self) -> tuple[type, ...]:
        """Levels, and the needs of the surrogate."""
        return (Grows, *make_surrogate(self.surrogate).needs)

    def __post_init__(self) -> None:
        check_settings(self)
        object.__setattr__(self, "surrogate", name_surrogate(self.surrogate))

    @staticmethod
    def paper() -> Progressive:
        """B = 5, K = 256, the ensemble of MLPs (Sec. 5.1) that starts at the paper's accuracies."""
        return Progressive(levels=5, keep=KEEP, surrogate="mlp-ensemble-paper")

    def start(self, problem: Problem) -> State:
        grows = know(problem.space, Grows)
        assert grows is not None  # see `needs`
        seed, trials = problem.seed, self.trials or problem.trials
        levels = tuple(grows.levels)
        if self.levels is not None and self.levels > len(levels):
            raise UsageError(
                f"strategy 'progressive': levels is {self.levels}, but the space has {len(levels)} "
                f"({levels[0]} to {levels[-1]})"
            )
        levels = levels[: self.levels]
        pool = self._first(grows, levels, seed, trials)
        queue = tuple(Candidate(pool.architecture(i)) for i in range(len(pool)))
        return State(problem.space, grows, seed, trials, levels, queue, len(pool), pool.complete)

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

    def _keep(self, state: State) -> int:
        """The number of candidates to train at the next level."""
        if self.keep or state.trials is None:
            return self.keep or KEEP
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
        """The next level, once all of the queue is trained: fit, expand, score, keep the best (one turn of
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
        surrogate = self._fit(state)
        queue = _best(pool, score_pool(surrogate, pool), self._keep(state), parents)
        return replace(
            state, levels=levels, queue=queue, pool=len(pool), complete=pool.complete, surrogate=surrogate
        )

    def _fit(self, state: State) -> Any:
        """The surrogate fitted on all trials so far; from the second level on it starts from its former
        weights, which is the paper's fine-tuning."""
        seed = integer_seed(state.seed, "progressive", "surrogate")
        learner = make_surrogate(self.surrogate).start(state.space, seed)
        return learner.fit(state.learned, state.surrogate)


def _find_parents(state: State) -> dict[Architecture, int]:
    """The current level's measured architectures, in the queue's order, and the numbers of their trials."""
    number = {t.architecture: t.number for t in state.learned if t.value is not None}
    queue = (c.architecture for c in state.queue)
    return {a: number[a] for a in queue if a in number}


def _best(
    pool: Pool, scores: NDArray[np.float64], keep: int, trials: Mapping[Architecture, int]
) -> tuple[Candidate, ...]:
    """The `keep` best children, best first; of equal scores the earlier child goes first."""
    # Stable, so that ties do not depend on the sorting algorithm of a NumPy version.
    order = np.argsort(-scores, kind="stable")[:keep].tolist()
    return tuple(
        Candidate(pool.architecture(i), trials[pool.parents[pool.parent[i]]], float(scores[i]), rank)
        for rank, i in enumerate(order, start=1)
    )


def _reason(state: State, candidate: Candidate) -> dict[str, Any]:
    reason: dict[str, Any] = {"level": state.levels[0]}
    if candidate.rank is not None:
        reason |= {"predicted": candidate.predicted, "rank": candidate.rank, "of": state.pool}
    if not state.complete:
        reason["sampled"] = True
    return reason
