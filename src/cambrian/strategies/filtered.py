"""Zero-cost proxies before training (Abdelfattah et al. 2021, arXiv 2101.08134, Sec. 4): of many
architectures that are drawn and scored, the best are trained first, and another strategy begins with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.predictors.rank_sum import sum_log_ranks
from cambrian.problem import Problem
from cambrian.settings import COUNT
from cambrian.strategies.inner import Passing, read_inner
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait

if TYPE_CHECKING:
    from numpy.random import Generator

PROXY, BEST = "proxy", "best"
"""The phases of the filter, in the memory of their trials."""
DRAWS = 50
"""The most draws where nobody names their number."""


@dataclass(frozen=True)
class State:
    """Of `draws` architectures, `scored` are the learned trials of the proxies, and `trained` those of the
    best; `inner` is the state of the strategy that goes on from there."""

    problem: Problem
    inner: Any
    draws: int
    scored: tuple[Trial, ...] = ()
    trained: tuple[Trial, ...] = ()
    best: tuple[Architecture, ...] = ()


@dataclass(frozen=True)
class Filtered(Passing):
    """Draws `draws` architectures, scores them by each of the `measures`, and has the best `keep` measured:
    by the sum of the logarithms of their ranks, where there are several measures. Then the `strategy` goes
    on, which has learned these; with `strategy=""` the search ends. Every score is a row of the run, with its
    seconds, and counts as a trial of the budget: by default there are 50 draws, or fewer, of which the scores
    take half of the run's trials.

    A strategy that learns its own trials alone cannot go on from these."""

    strategy: Any = "random"
    measures: tuple[str, ...] = ("jacob_cov", "macs")
    draws: Annotated[int | None, COUNT] = None
    keep: Annotated[int, COUNT] = 5
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        measures = (self.measures,) if isinstance(self.measures, str) else tuple(self.measures)
        object.__setattr__(self, "measures", measures)
        if not measures:
            raise UsageError("strategy 'filtered': measures are empty: name at least one, such as naswot")
        if self.draws is not None and self.keep > self.draws:
            raise UsageError(f"strategy 'filtered': keep is at most the {self.draws} draws, got {self.keep}")
        _ = self.inner  # a strategy that cannot be had is refused at once

    @cached_property
    def inner(self) -> Any:
        """The strategy that goes on; None where the search ends."""
        return read_inner(self, self.strategy) if self.strategy else None

    @property
    def estimators(self) -> Mapping[str, str]:
        return {**getattr(self.inner, "estimators", {}), **{measure: measure for measure in self.measures}}

    @property
    def requests(self) -> tuple[type, ...]:
        from cambrian.weights import Fresh

        return tuple(getattr(self.inner, "requests", (Evaluate, Fresh)))

    def start(self, problem: Problem) -> State:
        draws = self._count_draws(problem)
        inner = self.inner.start(self._leave_budget(problem, draws)) if self.inner else None
        return State(problem, inner, draws)

    def propose(self, state: State, pending: Sequence[Trial], rng: Generator) -> Proposal:
        scoring = [*state.scored, *(t for t in pending if _phase(t) == PROXY)]
        draws = _read_draws(scoring[0], state) if scoring else state.draws
        if len(scoring) < draws * len(self.measures):
            return self._score(state, scoring, draws, rng)
        if len(state.scored) < len(scoring):
            return Wait()  # the best are known when all are scored
        training = [*state.trained, *(t for t in pending if _phase(t) == BEST)]
        if len(training) < len(state.best):
            reason = {"rank": len(training) + 1}
            return Evaluate(state.best[len(training)], reason=reason, memory={"phase": BEST})
        if self.inner is None:
            return Stop("the best by the proxies are measured")
        proposal: Proposal = self.inner.propose(state.inner, pending, rng)
        return proposal

    def learn(self, state: State, trial: Trial) -> State:
        if _phase(trial) == PROXY:
            draws = _read_draws(trial, state)
            state = dataclasses.replace(state, scored=(*state.scored, trial), draws=draws)
            complete = len(state.scored) == draws * len(self.measures)
            return dataclasses.replace(state, best=self._choose(state)) if complete else state
        if _phase(trial) == BEST:
            state = dataclasses.replace(state, trained=(*state.trained, trial))
            # The phase is the filter's own memory: to the other strategy it is a trial like any.
            trial = msgspec.structs.replace(trial, memory={})
        if self.inner is None:
            return state
        return dataclasses.replace(state, inner=self.inner.learn(state.inner, trial))

    def _score(self, state: State, scoring: Sequence[Trial], draws: int, rng: Generator) -> Evaluate:
        """The next score: all draws by the first measure, then the same ones by the others."""
        measure, place = divmod(len(scoring), draws)
        drawn = sorted(scoring, key=lambda t: t.number)
        architecture = drawn[place].architecture if measure else sample(state.problem.space, rng)
        memory = {"phase": PROXY, "draws": draws}
        return Evaluate(architecture, estimator=self.measures[measure], memory=memory)

    def _choose(self, state: State) -> tuple[Architecture, ...]:
        """The best distinct architectures by the sum of their ranks; one without a score is ranked last."""
        trials = sorted(state.scored, key=lambda t: t.number)
        # Turned upwards by the proxies' own direction, whichever the search has.
        values = [np.nan if t.value is None else t.value for t in trials]
        ranks = sum_log_ranks(list(np.reshape(values, (len(self.measures), state.draws))))
        ranked = [trials[i].architecture for i in np.argsort(-ranks, kind="stable")]
        return tuple(dict.fromkeys(ranked))[: self.keep]

    def _count_draws(self, problem: Problem) -> int:
        """Raises UsageError where the trials of the run are too few for the scores and the training of the
        best."""
        measures, trials = len(self.measures), problem.trials
        if trials is None:
            return self.draws or max(DRAWS, self.keep)
        draws = self.draws or max(min(DRAWS, trials // (2 * measures)), self.keep)
        needed, fitting = draws * measures + self.keep, (trials - self.keep) // measures
        if needed > trials:
            advice = f"draws={fitting}" if fitting >= self.keep else "a larger budget, or a smaller keep"
            raise UsageError(
                f"strategy 'filtered': {draws} draws by {measures} measures and the training of the best"
                f" {self.keep} take {needed} trials, and the run has {trials}: take {advice}"
            )
        return draws

    def _leave_budget(self, problem: Problem, draws: int) -> Problem:
        """The problem with the trials that are left after the scores."""
        if problem.trials is None:
            return problem
        return dataclasses.replace(problem, trials=max(problem.trials - draws * len(self.measures), 1))


def _phase(trial: Trial) -> str:
    return str(trial.memory.get("phase", ""))


def _read_draws(trial: Trial, state: State) -> int:
    """The number of draws that the score was proposed with: a run that goes on with a larger budget does not
    have more of them by then."""
    return int(trial.memory.get("draws", state.draws))
