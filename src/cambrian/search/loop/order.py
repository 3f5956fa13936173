"""The order of a search: which trials the strategy has learned of when it is asked for the next proposal.

The first proposals are those that the search begins with (`_list_first`), where there are any; all others are
the strategy's. By number, proposal n is made knowing the outcomes of trials 0..n-lag and no others: the same
on every engine and with any number of workers. Where the strategy waits for more (the end of a level), it
learns one trial more at a time, in their order, which is the same everywhere too. By arrival it learns an
outcome when it comes, and the order notes at which place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Evaluate, Proposal, TrainSupernet, Wait
from cambrian.search.loop.answers import check_proposal, check_state
from cambrian.strategies.begun import list_begun
from cambrian.strategies.inner import has_trait
from cambrian.strategies.strategy import Strategy

NUMBER, ARRIVAL = "number", "arrival"
ORDERS = (NUMBER, ARRIVAL)


class Order:
    """The strategy's `state`, all `trials` of the search, and how many it has `learned`. `open` are the
    numbers of the others, which are pending for the strategy whether or not their outcome is known."""

    def __init__(
        self,
        problem: Problem,
        strategy: Strategy,
        *,
        lag: int = 1,
        by: str = NUMBER,
        trials: Sequence[Trial] = (),
    ) -> None:
        self.strategy, self.lag, self.by = strategy, lag, by
        self.trials = list(trials)
        self.open = dict.fromkeys(range(len(self.trials)))  # a set that keeps the order of numbers
        self.sequence: list[int] = []  # of numbers, in the order in which they were learned
        self.seed = problem.seed
        self.first = _list_first(problem, strategy)
        # A strategy that learns its own trials alone is not told of those that the search begins with.
        self.alone = bool(getattr(strategy, "own_trials", False))
        self.state: Any = check_state(strategy, "start", strategy.start(self._leave_hidden(problem)))

    @property
    def learned(self) -> int:
        return len(self.sequence)

    @property
    def hidden(self) -> range:
        """The numbers of the trials of which the strategy is not told."""
        return range(min(len(self.first), len(self.trials)) if self.alone else 0)

    def next_proposal(self) -> Proposal:
        """The strategy's proposal when it has learned its due; Wait where an outcome is not known yet, or
        where the strategy waits though nothing is open."""
        while self.is_due():
            if not self._learn_next():
                return Wait()
        proposal = self.propose()
        # By arrival nothing known is left to learn: only an outcome that comes can end the waiting.
        while isinstance(proposal, Wait) and self.by == NUMBER and self._learn_next():
            proposal = self.propose()
        return proposal

    def is_due(self) -> bool:
        """Whether a trial is to be learned before the next proposal: in the order of numbers, by the lag."""
        return self.by == NUMBER and self.learned < len(self.trials) - self.lag + 1

    def propose(self) -> Proposal:
        """The proposal by now, whatever its due: one that the search begins with, or the strategy's. Changes
        nothing here. Raises StrategyError for what is no proposal."""
        if len(self.trials) < len(self.first):
            name, architecture = self.first[len(self.trials)]
            return Evaluate(architecture, reason={"begins": name})
        # A stream per number: an interrupted search, asked again for this proposal, draws the same.
        rng = stream(self.seed, "propose", len(self.trials))
        proposal = self.strategy.propose(self.state, self.pending(), rng)
        check_proposal(self.strategy, proposal, len(self.trials))
        return proposal

    def add(self, trial: Trial) -> None:
        """Add the next trial. By arrival, the strategy learns at once of a repeat whose outcome is known."""
        self.open[trial.number] = None
        self.trials.append(self.resolve(trial))
        if self.by == ARRIVAL and self.trials[-1].outcome is not None:
            self.learn(trial.number)

    def finish(self, number: int, outcome: Outcome) -> dict[int, int]:
        """Add the outcome of a trial. Returns the places at which trials were learned now, by number: by
        arrival, of this one and its repeats."""
        self.trials[number] = msgspec.structs.replace(self.trials[number], outcome=outcome)
        if self.by == NUMBER:
            return {}
        places = {}
        # A list, as `learn` takes numbers out of `open`.
        for arrived in [number, *(n for n in self.open if self.trials[n].cached == number)]:
            places[arrived] = self.learned
            self.learn(arrived)
        return places

    def learn(self, number: int) -> None:
        """Let the strategy learn trial `number`, which has an outcome."""
        self.trials[number] = trial = self.resolve(self.trials[number])
        if not self._is_hidden(number):
            state = self.strategy.learn(self.state, trial.turn_upwards())
            self.state = check_state(self.strategy, "learn", state)
        self.sequence.append(number)
        del self.open[number]

    def learn_known(self) -> None:
        """Let the strategy learn the trials that it has not asked for yet: at the end, where no proposal will
        be made any more."""
        while self.by == NUMBER and self._learn_next():
            pass

    def pending(self) -> list[Trial]:
        """The open trials as the strategy may see them: an outcome that it has not learned is withheld."""
        shown = (n for n in self.open if not self._is_hidden(n))
        return [msgspec.structs.replace(self.trials[n], outcome=None) for n in shown]

    def resolve(self, trial: Trial) -> Trial:
        """The trial, with the outcome of the one that it repeats where that is known by now."""
        if trial.cached is None or trial.outcome is not None:
            return trial
        return msgspec.structs.replace(trial, outcome=self.trials[trial.cached].outcome)

    def resolve_all(self) -> list[Trial]:
        return [self.resolve(trial) for trial in self.trials]

    def _is_hidden(self, number: int) -> bool:
        return number in self.hidden

    def _leave_hidden(self, problem: Problem) -> Problem:
        """The problem with the trials that are left to a strategy that is not told of the first ones: it
        counts its own, and some are for the end of the search."""
        if problem.trials is None or not self.alone:
            return problem
        return replace(problem, trials=max(1, problem.trials - len(self.first)))

    def _learn_next(self) -> bool:
        """Learn the next trial by number; False where its outcome is not known, or there is none."""
        if not self.open or self.resolve(self.trials[self.learned]).outcome is None:
            return False
        self.learn(self.learned)
        return True


def _list_first(problem: Problem, strategy: Strategy) -> tuple[tuple[str, Architecture], ...]:
    """The architectures that are proposed before the strategy is asked, with their names; none where it
    proposes them itself, or trains a supernet, whose estimator trains no network alone."""
    if has_trait(strategy, "begins") or TrainSupernet in getattr(strategy, "requests", ()):
        return ()
    return tuple(list_begun(problem).items())
