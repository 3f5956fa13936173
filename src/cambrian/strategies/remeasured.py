"""A second measurement of the best architectures, where measurements are noisy, around any strategy.

The highest of many noisy values owes its place to luck as well as to the architecture (the "optimizer's
curse" of Smith & Winkler, Management Science 52(3), 2006). A second, independent measurement of the best few
tells them apart.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.effort import grade_fidelity
from cambrian.errors import UsageError
from cambrian.outcome import Done, Trial
from cambrian.problem import Problem
from cambrian.recommendation import find_measurements, rank_trials
from cambrian.registry import name_of
from cambrian.settings import COUNT
from cambrian.strategies.inner import Passing, list_aside, read_inner
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Recommends, Stop, Wait
from cambrian.weights import FRESH, Continue, Fresh, Shared, Weights

if TYPE_CHECKING:
    from numpy.random import Generator

AGAIN = "again"
"""The phase of a second measurement, in its trial's memory."""
FEWEST = 100
"""Trials from which a second measurement of the best two is worth two new architectures: with fewer it cost
up to .11 points (`benchmarks/replicates.py`)."""


@dataclass(frozen=True)
class State:
    """`first` are the learned trials of the inner strategy, whose state is `inner`; `second` are the second
    measurements that were learned."""

    problem: Problem
    inner: Any
    first: tuple[Trial, ...] = ()
    second: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Remeasured(Passing):
    """The `strategy`, whose last `best` trials are second, independent measurements of the `best`
    architectures so far, as it recommends them where it does, each at the fidelity of its first and with the
    same first weights, if these were another network's. It recommends the one with the highest mean of two.
    Values have to differ from one measurement of an architecture to the next: those of a training, of a
    noisy function, or of repeated rows of a table (`--replicates seed`).

    It needs a budget of trials: one of time does not say which are the last."""

    strategy: Any = "random"
    best: Annotated[int, COUNT] = 2
    needs_trials: ClassVar[bool] = True
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        # A strategy that cannot be had is refused at once.
        if Shared in getattr(self.inner, "requests", ()) and not isinstance(self.inner, Recommends):
            raise UsageError(
                f"strategy 'remeasured': {name_of(self.inner)} scores networks with the weights of a"
                " supernet, where a second score is the same as the first: name a strategy that trains them,"
                " such as evolution"
            )

    @cached_property
    def inner(self) -> Any:
        """The strategy that proposes the first measurements."""
        # It learns all that it has proposed, and nothing else.
        return read_inner(self, self.strategy, own_trials=True)

    @property
    def requests(self) -> tuple[type, ...]:
        return tuple(dict.fromkeys((*getattr(self.inner, "requests", ()), Evaluate, Fresh)))

    def start(self, problem: Problem) -> State:
        if problem.trials is None:
            return State(problem, self.inner.start(problem))
        first = dataclasses.replace(problem, trials=int(self._count_first(problem)))
        return State(problem, self.inner.start(first))

    def propose(self, state: State, pending: Sequence[Trial], rng: Generator) -> Proposal:
        firsts = [t for t in pending if not is_again(t)]
        again = len(state.second) + len(pending) - len(firsts)
        # A run that goes on with a larger budget has its second measurements, and searches again.
        searching = not again and len(state.first) + len(firsts) < self._count_first(state.problem)
        if searching or again >= self.best:
            proposal: Proposal = self.inner.propose(state.inner, firsts, rng)
            if again or not isinstance(proposal, Stop):
                return proposal
        if firsts:
            return Wait()  # the best are known when all first measurements are
        return self._measure_again(state, again)

    def learn(self, state: State, trial: Trial) -> State:
        if is_again(trial):
            return dataclasses.replace(state, second=(*state.second, trial))
        inner = self.inner.learn(state.inner, trial)
        return dataclasses.replace(state, inner=inner, first=(*state.first, trial))

    def recommend(self, state: State) -> Sequence[Architecture]:
        """The architectures that were measured twice, by the mean of their values, and then those that the
        inner strategy recommends; these alone before, and where a better one was measured since."""
        inner = self._ask_inner(state)
        best = [t.number for t in self._choose_best(state)]
        measured = {_number_of_first(t) for t in state.second}
        if len(state.problem.objectives) > 1 or not measured or best[0] not in measured:
            return inner
        first = {t.number: t for t in state.first}
        means = [average_scores(first[_number_of_first(t)], t) for t in state.second]
        ranked = sorted(range(len(means)), key=lambda n: -means[n])
        return list(dict.fromkeys([*(state.second[n].architecture for n in ranked), *inner]))

    def sets_aside(self, state: State) -> frozenset[int]:
        """As the inner strategy does."""
        return list_aside(self.inner, state.inner)

    def _count_first(self, problem: Problem) -> float:
        """The trials before the second measurements."""
        return math.inf if problem.trials is None else max(problem.trials - self.best, 1)

    def _measure_again(self, state: State, done: int) -> Proposal:
        """The second measurement of the best architecture that has none."""
        best = self._choose_best(state)
        if done >= len(best):
            return Stop("the best are measured twice")
        trial = best[done]
        memory = {"phase": AGAIN, "first": trial.number}
        # The inner strategy may have measured it several times itself.
        others = (t.replicate for t in state.first if t.architecture == trial.architecture)
        return Evaluate(
            trial.architecture,
            trial.fidelity,
            reason={"again": trial.number},
            memory=memory,
            replicate=1 + max(others),
            weights=find_first_weights(trial, state.first),
            estimator=trial.estimator,
        )

    def _choose_best(self, state: State) -> list[Trial]:
        """The best trials of distinct architectures, best first: those that the inner strategy recommends
        before others, and of all those that were measured as fully as the first, whose values can be
        compared."""
        aside = self.sets_aside(state)
        trials = [t for t in state.first if t.number not in aside]
        measured = find_measurements(trials, state.problem.fidelity)
        preferred = [measured[a] for a in self._ask_inner(state) if a in measured]
        ranked = [*preferred, *rank_trials(trials, state.problem.objectives)]
        distinct: dict[Architecture, Trial] = {}
        for trial in ranked:
            if grade_fidelity(trial.fidelity) == grade_fidelity(ranked[0].fidelity):
                distinct.setdefault(trial.architecture, trial)
        return list(distinct.values())[: self.best]

    def _ask_inner(self, state: State) -> list[Architecture]:
        """The architectures that the inner strategy recommends, best first; none where the best values do."""
        return list(self.inner.recommend(state.inner)) if isinstance(self.inner, Recommends) else []


def remeasure_best(strategy: Any) -> Any:
    """The strategy with second measurements of its best two, unless it has them already."""
    named = strategy.get("name") if isinstance(strategy, Mapping) else name_of(strategy)
    return strategy if named == "remeasured" else Remeasured(strategy)


def average_scores(first: Trial, second: Trial) -> float:
    """The mean of both measurements; that of the first alone where the second failed."""
    scores = [t.score for t in (first, second) if isinstance(t.outcome, Done) and t.score is not None]
    return float(np.mean(scores))


def find_first_weights(trial: Trial, trials: Sequence[Trial]) -> Weights:
    """The weights with which the trial's training began, behind any number of `trials` that it continues: a
    second training that continued them as well would be the same one in part."""
    weights, known = trial.weights, {t.number: t for t in trials}
    while isinstance(weights, Continue):
        weights = known[weights.row].weights if weights.row in known else FRESH
    return weights


def is_again(trial: Trial) -> bool:
    """Whether the trial is a second measurement."""
    return trial.memory.get("phase") == AGAIN and "first" in trial.memory


def _number_of_first(trial: Trial) -> int:
    return int(trial.memory["first"])
