"""Several objectives for a strategy of one: the augmented Chebyshev function of Knowles, "ParEGO: A Hybrid
Algorithm with On-line Landscape Approximation for Expensive Multiobjective Optimization Problems" (IEEE
Transactions on Evolutionary Computation 10(1), 2006, Equation 2), along several weight vectors.

Each weight vector is a direction: a search of its own by the other strategy, for the value along these
weights. Directions take turns with their proposals, and every one learns all trials. The turn of one that has
ended is the next one's; the search ends when all have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cambrian.outcome import Done, Infeasible, Trial
from cambrian.outliers import EXPLODED, find_lowest_sorted, insert_sorted
from cambrian.problem import Objective, Problem
from cambrian.randomness import stream
from cambrian.settings import Span
from cambrian.strategies.inner import Passing, read_inner
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop
from cambrian.weights import Fresh

if TYPE_CHECKING:
    import numpy as np

Vector = tuple[float, ...]


@dataclass(frozen=True)
class State:
    """`weights` are the directions, `inner` the state of the strategy along each. `best` and `worst` are the
    ends of each objective among the trials, none of them far below the others, and `columns` its scores in
    ascending order."""

    problem: Problem
    weights: tuple[Vector, ...]
    inner: tuple[Any, ...]
    trials: tuple[Trial, ...] = ()
    best: Vector = ()
    worst: Vector = ()
    columns: tuple[Sequence[float], ...] = ()


@dataclass(frozen=True)
class Scalarised(Passing):
    """`strategy` searches along `directions` weight vectors, drawn uniformly from the simplex by the run's
    seed. `rho` is the paper's ρ, the share of the weighted sum. Objectives are scaled to their ranges among
    the trials so far; when a range changes, the states are made anew from all trials.

    With one objective it proposes the same as the strategy alone."""

    strategy: Any = "evolution"
    directions: Annotated[int, Span(1, 1000)] = 10
    rho: Annotated[float, Span(0)] = 0.05

    def __post_init__(self) -> None:
        check_settings(self)
        _ = self.inner  # a strategy that cannot be had is refused at once

    @cached_property
    def inner(self) -> Any:
        """The strategy of each direction."""
        return read_inner(self, self.strategy)

    @property
    def requests(self) -> tuple[type, ...]:
        return tuple(getattr(self.inner, "requests", (Evaluate, Fresh)))

    def start(self, problem: Problem) -> State:
        return self._begin(State(problem, draw_weights(problem, self.directions), ()))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        turn = (len(state.trials) + len(pending)) % len(state.weights)
        for along in (*state.inner[turn:], *state.inner[:turn]):
            proposal: Proposal = self.inner.propose(along, pending, rng)
            if not isinstance(proposal, Stop):
                break
        return proposal

    def learn(self, state: State, trial: Trial) -> State:
        columns = _sort_in(state, trial)
        best, worst = tuple(column[-1] for column in columns), tuple(map(_find_worst, columns))
        grown = replace(state, trials=(*state.trials, trial), columns=columns, best=best, worst=worst)
        if (best, worst) == (state.best, state.worst):
            return self._learn_along(grown, trial)
        # All values along the weights have changed with the ranges.
        grown = self._begin(grown)
        for known in grown.trials:
            grown = self._learn_along(grown, known)
        return grown

    def _begin(self, state: State) -> State:
        """The state with that of every direction before its first trial."""
        problem = replace(state.problem, objectives=(Objective(),))
        return replace(state, inner=tuple(self.inner.start(problem) for _ in state.weights))

    def _learn_along(self, state: State, trial: Trial) -> State:
        inner = (
            self.inner.learn(along, scalarise_trial(state, trial, weights, self.rho))
            for along, weights in zip(state.inner, state.weights, strict=True)
        )
        return replace(state, inner=tuple(inner))


def draw_weights(problem: Problem, count: int) -> tuple[Vector, ...]:
    """`count` vectors that sum to 1, one weight for each objective."""
    rng = stream(problem.seed, "scalarised")
    return tuple(map(tuple, rng.dirichlet([1.0] * len(problem.objectives), count).tolist()))


def scalarise_trial(state: State, trial: Trial, weights: Vector, rho: float) -> Trial:
    """The trial with the value along the weights, from 0 to 1 as an accuracy; as a failure where an objective
    was not measured."""
    if not isinstance(trial.outcome, Done):
        return trial
    scores = trial.scores(state.problem.objectives)
    if not all(map(math.isfinite, scores)):
        outcome: Any = Infeasible("nan", "an objective was not measured")
        return msgspec.structs.replace(trial, outcome=outcome)
    ranges = [(high - low) or 1.0 for high, low in zip(state.best, state.worst, strict=True)]
    losses = [(high - x) / span for high, x, span in zip(state.best, scores, ranges, strict=True)]
    # As an accuracy: of other values those far below the rest count as the worst of these (`outliers`), and
    # here nothing explodes, but for what is below the ends and so below 0.
    value = 1 - combine_losses(losses, weights, rho) / (1 + rho)
    return msgspec.structs.replace(trial, outcome=msgspec.structs.replace(trial.outcome, value=value))


def combine_losses(losses: Sequence[float], weights: Sequence[float], rho: float) -> float:
    """The augmented Chebyshev function: the largest weighted loss, and ρ of their sum, which tells apart
    points of one largest loss so that none that is dominated wins.

    >>> combine_losses([0.5, 0.0], [0.5, 0.5], rho=0.05)
    0.2625
    """
    parts = [weight * loss for weight, loss in zip(weights, losses, strict=True)]
    return max(parts) + rho * sum(parts)


def _sort_in(state: State, trial: Trial) -> tuple[Sequence[float], ...]:
    """The columns of the state, with the scores of the trial if all are measured."""
    scores = () if trial.value is None else trial.scores(state.problem.objectives)
    if not scores or not all(map(math.isfinite, scores)):
        return state.columns
    return tuple(map(insert_sorted, state.columns or ((),) * len(scores), scores))


def _find_worst(column: Sequence[float]) -> float:
    """The worst end of an objective. Beside a loss that exploded all others would be alike, and the objective
    be given up: it is no end."""
    # Not of every tail: its end would move with the quartiles, and each time all states are made anew.
    low, lowest, high = column[0], find_lowest_sorted(column), column[-1]
    return lowest if high - low > EXPLODED * (high - lowest) else low
