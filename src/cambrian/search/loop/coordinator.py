"""The coordinator asks the strategy for trials and lets it learn exactly the outcomes that it may know.

In the order of numbers, proposal n is made knowing the outcomes of trials 0..n-L and no others, L being
the run's lag: the same on every engine and with any number of workers. Where a strategy must wait for
more (the end of a level), it learns one trial more at a time, in their order, which is the same everywhere
too. In the order of arrival it learns an outcome when it comes, and the row records at which place.

Resuming folds `learn` over the ledger, in the order in which the trials were learned; recorded proposals
are read, never made again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cambrian.architecture import Architecture, replay
from cambrian.errors import CambrianError, did_you_mean
from cambrian.estimators.estimator import SERVES
from cambrian.outcome import Artifact, Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.recommendation import find_incumbents, rank_trials
from cambrian.request import Request, Stop, TrainSupernet, Wait, trial_of
from cambrian.search.ledger.keys import supernet_key, trial_key
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.breaker import Breaker
from cambrian.spaces.knowledge import Canonical, know
from cambrian.strategies.strategy import Recommends, Strategy
from cambrian.weights import Continue, Weights, source_row

EXHAUSTED = 200
"""So many repeats in a row end a search: the strategy finds nothing new."""

NUMBER, ARRIVAL = "number", "arrival"
ORDERS = (NUMBER, ARRIVAL)


@dataclass(frozen=True)
class Means:
    """One of a run's estimators as the coordinator knows it: `recipe` stands for it and the data in keys."""

    recipe: str
    serves: tuple[type, ...] = SERVES
    raw: bool = False
    reads_history: bool = False


class Coordinator:
    """Owns the strategy's state and the order in which it learns and proposes; knows nothing of engines."""

    def __init__(
        self,
        problem: Problem,
        strategy: Strategy,
        ledger: Ledger,
        *,
        lag: int,
        means: Mapping[str, Means],
        order: str = NUMBER,
        forgiven: int = 0,
    ) -> None:
        self.problem, self.space, self.strategy, self.ledger = problem, problem.space, strategy, ledger
        self.lag, self.means, self.order = lag, means, order
        self.canonical = know(self.space, Canonical) is not None
        rows = [r for r in ledger.rows() if not r.final]
        self.trials: list[Trial] = [r.trial for r in rows]
        self._numbers: dict[str, int] = {}
        for row in rows:
            self._numbers.setdefault(row.key, row.trial.number)
        self.thinking = 0.0
        self.learned = 0
        # Numbers that the strategy has not learned; a dict, for their order.
        self._open = dict.fromkeys(range(len(rows)))
        self.breaker = Breaker(forgiven)
        self.state: Any = self._time(strategy.start, problem)
        for number in self._order_learned(rows):
            self._learn(number)

    def _order_learned(self, rows: Sequence[Row]) -> list[int]:
        """The numbers of the trials that the strategy had learned, in that order."""
        if self.order == NUMBER:
            return list(range(max((r.knew for r in rows), default=0)))
        places = {r.learned: r.trial.number for r in rows if r.learned is not None}
        return [places[place] for place in sorted(places)]

    def next(self) -> Row | Wait | Stop:
        """The next row to claim, or Wait for an outcome that must be known first, or Stop."""
        number = len(self.trials)
        # A strategy that repeats itself for so long has no new architecture, and repeats cost no time:
        # without this bound the loop would never end.
        if self._repeats() >= EXHAUSTED:
            return Stop(f"exhausted: {EXHAUSTED} proposals in a row had been tried before")
        if self.order == NUMBER:
            # Proposal n knows trials 0 to n - lag: no fewer, which would depend on the engine's speed.
            while self.learned < number - self.lag + 1:
                if not self._learnable():
                    return Wait()
                self._learn(self.learned)
        while True:
            if self.breaker.tripped:
                return Stop(self.breaker.reason)
            # A stream for each number: a resumed run draws the same without replaying the draws before.
            rng = stream(self.problem.seed, "propose", number)
            proposal = self._time(self.strategy.propose, self.state, self._pending(), rng)
            if not isinstance(proposal, Wait):
                break
            # Nothing can come that the strategy waits for: the search would hang.
            if not self._open:
                raise CambrianError(
                    f"{type(self.strategy).__name__} waits though nothing is pending after {number} trials"
                )
            if self.order == ARRIVAL or not self._learnable():
                return Wait()
            self._learn(self.learned)
        return proposal if isinstance(proposal, Stop) else self._row(number, proposal)

    def claim(self, row: Row) -> None:
        """Take up a row that `next` returned, before the next call of `next`."""
        number = row.trial.number
        self.trials.append(self._resolve(row.trial))
        self._numbers.setdefault(row.key, number)
        self._open[number] = None
        # In the order of arrival, a repeat of a finished trial is learned in the moment it is claimed.
        if row.learned is not None:
            self._learn(number)

    def finish(self, number: int, outcome: Outcome) -> dict[int, int]:
        """Take an outcome, before a call of `next` that may depend on it. Returns the places at which trials
        were learned now, by number: in the order of arrival, this one and its repeats."""
        self.trials[number] = msgspec.structs.replace(self.trials[number], outcome=outcome)
        if self.order == NUMBER:
            return {}
        places = {}
        for known in [number, *(n for n in self._open if self.trials[n].cached == number)]:
            places[known] = self.learned
            self._learn(known)
        return places

    def artifacts(self, trial: Trial) -> dict[str, Artifact]:
        """The files of the row whose weights the trial begins with."""
        row = source_row(trial.weights)
        return {} if row is None else self._resolve(self.trials[row]).artifacts

    def history(self, trial: Trial) -> tuple[Trial, ...]:
        """The trials that are known when `trial` is asked for, where its estimator reads them."""
        if not self.means[trial.estimator].reads_history:
            return ()
        return tuple(t for t in self.trials if t.number not in self._open)

    def root(self, weights: Weights) -> Weights:
        """The weights with which a training first began, behind any number of rows that continue it."""
        while isinstance(weights, Continue):
            weights = self.trials[weights.row].weights
        return weights

    def list_needed(self) -> tuple[list[Artifact], list[Artifact]]:
        """The artifacts with which pending rows begin or that the strategy has yet to learn of, and those
        that it may still name, in the order of numbers."""
        keeps = getattr(self.strategy, "keeps", None)
        may_name = range(len(self.trials)) if keeps is None else sorted(keeps(self.state))
        sources = [source_row(self.trials[n].weights) for n in self._open]
        return self._files([*sources, *self._open]), self._files(may_name)

    def _files(self, numbers: Iterable[int | None]) -> list[Artifact]:
        trials = [self._resolve(self.trials[n]) for n in numbers if n is not None]
        return [artifact for trial in trials for artifact in trial.artifacts.values()]

    def recommend(self) -> list[Trial]:
        """The measured trials, best first (see `rank_trials`), by the strategy where it knows better."""
        known = [t for t in self.trials if t.number not in self._open]
        preferred: list[int] = []
        if isinstance(self.strategy, Recommends):
            first = {t.architecture: t.number for t in reversed(known) if t.score is not None}
            chosen: Sequence[Architecture] = self._time(self.strategy.recommend, self.state)
            preferred = [first[a] for a in chosen if a in first]
        # Of equal scores the incumbent leads: the one that the strategy prefers (see `find_incumbents`).
        leader = [t.number for t in list(find_incumbents(known))[-1:] if t is not None]
        ranked = rank_trials(known, self.problem.objectives, leader)
        return [self.trials[n] for n in preferred] + [t for t in ranked if t.number not in set(preferred)]

    def _row(self, number: int, request: Request) -> Row:
        means = self._check(number, request)
        trial = trial_of(number, request, self.problem.fidelity)
        # First, since keys are of the row that was measured: a repeat has no weights of its own.
        trial = msgspec.structs.replace(trial, weights=self._original(trial))
        if isinstance(request, TrainSupernet):
            key = supernet_key(request, trial.fidelity, means.recipe)
        else:
            trial = msgspec.structs.replace(trial, architecture=replay(self.space, request.architecture))
            key = trial_key(
                self.space,
                trial.architecture,
                trial.fidelity,
                means.recipe,
                trial.replicate,
                means.raw or not self.canonical,
                self.root(trial.weights),
            )
        cached = self._numbers.get(key)
        known = None if cached is None else self.trials[cached].outcome
        trial = msgspec.structs.replace(trial, cached=cached, outcome=known)
        # The row takes all the thinking since the last one: proposing it and learning for it.
        thinking, self.thinking = self.thinking, 0.0
        learned = self.learned if self.order == ARRIVAL and known is not None else None
        state = "running" if cached is None else "cached"
        return Row(trial, key, state, 1, self.learned, thinking, learned=learned)

    def _check(self, number: int, request: Request) -> Means:
        """The estimator that carries out the request. Raises CambrianError where none can."""
        strategy, name = type(self.strategy).__name__, request.estimator
        if name not in self.means:
            known = did_you_mean(name, self.means)
            raise CambrianError(f"{strategy} asks for the estimator {name!r}, which this run lacks{known}")
        for kind in (type(request), type(request.weights)):
            if kind not in self.means[name].serves:
                raise CambrianError(f"{strategy} asks for {kind.__name__}, which no estimator here can do")
        # A row that the strategy has not learned may never have weights: it may crash, or be another one's
        # repeat.
        row = source_row(request.weights)
        if row is not None and (not 0 <= row < number or row in self._open):
            raise CambrianError(f"{strategy} asks for the weights of row {row}, of which it has not learned")
        return self.means[name]

    def _original(self, trial: Trial) -> Any:
        """The trial's weights, with the row that was measured in place of its repeat."""
        row = source_row(trial.weights)
        cached = None if row is None else self.trials[row].cached
        return trial.weights if cached is None else msgspec.structs.replace(trial.weights, row=cached)

    def _pending(self) -> list[Trial]:
        return [msgspec.structs.replace(self.trials[n], outcome=None) for n in self._open]

    def _learnable(self) -> bool:
        """Whether the next trial in the order of numbers has its outcome."""
        return self._resolve(self.trials[self.learned]).outcome is not None

    def _learn(self, number: int) -> None:
        trial = self._resolve(self.trials[number])
        self.trials[number] = trial
        self.state = self._time(self.strategy.learn, self.state, trial.maximised())
        self.learned += 1
        del self._open[number]
        # In the order of learning, so that a failing search stops after the same trial on every engine.
        self.breaker.see(trial)

    def _resolve(self, trial: Trial) -> Trial:
        if trial.cached is None or trial.outcome is not None:
            return trial
        return msgspec.structs.replace(trial, outcome=self.trials[trial.cached].outcome)

    def _repeats(self) -> int:
        """The number of repeats since the last new trial."""
        count = 0
        for trial in reversed(self.trials):
            if trial.cached is None:
                break
            count += 1
        return count

    def _time(self, function: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            self.thinking += time.perf_counter() - started
