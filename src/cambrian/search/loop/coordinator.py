"""Who decides what is tried next: the strategy, told exactly what it may know.

In the order of numbers, proposal n is made knowing the outcomes of trials 0..n-L and no others, L being
the run's lag: the same on every engine and with any number of workers. Where a strategy must wait for
more (the end of a level), it is told one trial more at a time, in their order, which is the same everywhere
too. In the order of arrival it is told an outcome when it comes, and the row records at which place.

Resuming folds `learn` over the ledger, in the order in which the trials were learned; recorded proposals
are read, never made again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
from cambrian.search.ledger.ledger import Ledger, Row
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
    """Owns the strategy's state and the order of things; knows nothing of engines."""

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
        self._open = dict.fromkeys(range(len(rows)))  # numbers of what the strategy has not learned of
        self.breaker = Breaker(forgiven)
        self.state: Any = self._time(strategy.start, problem)
        for number in self._learned_before(rows):
            self._learn(number)

    def _learned_before(self, rows: Sequence[Row]) -> list[int]:
        """The numbers of the trials that the strategy had learned, in that order."""
        if self.order == NUMBER:
            return list(range(max((r.knew for r in rows), default=0)))
        places = {r.learned: r.trial.number for r in rows if r.learned is not None}
        return [places[place] for place in sorted(places)]

    def next(self) -> Row | Wait | Stop:
        """The next row to claim, or Wait for an outcome that must be known first, or Stop."""
        number = len(self.trials)
        if self._repeats() >= EXHAUSTED:
            return Stop(f"exhausted: {EXHAUSTED} proposals in a row had been tried before")
        if self.order == NUMBER:
            while self.learned < number - self.lag + 1:
                if not self._learnable():
                    return Wait()
                self._learn(self.learned)
        while True:
            if self.breaker.tripped:
                return Stop(self.breaker.reason)
            rng = stream(self.problem.seed, "propose", number)
            proposal = self._time(self.strategy.propose, self.state, self._pending(), rng)
            if not isinstance(proposal, Wait):
                break
            if not self._open:
                raise CambrianError(
                    f"{type(self.strategy).__name__} waits though nothing is pending after {number} trials"
                )
            if self.order == ARRIVAL or not self._learnable():
                return Wait()
            self._learn(self.learned)
        return proposal if isinstance(proposal, Stop) else self._row(number, proposal)

    def claimed(self, row: Row) -> None:
        """Told of what `next` gave, before it is asked for more."""
        number = row.trial.number
        self.trials.append(self._resolve(row.trial))
        self._numbers.setdefault(row.key, number)
        self._open[number] = None
        if row.learned is not None:
            self._learn(number)

    def finished(self, number: int, outcome: Outcome) -> dict[int, int]:
        """Told of an outcome, before `next` is asked for what may depend on it. Returns the places at which
        trials were learned now, by number: in the order of arrival, this one and its repeats."""
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
        """The weights with which a training began that is continued, in one row or several."""
        while isinstance(weights, Continue):
            weights = self.trials[weights.row].weights
        return weights

    def kept(self) -> list[Artifact]:
        """The files that the strategy, or what is under way, may still name."""
        keeps = getattr(self.strategy, "keeps", None)
        numbers = range(len(self.trials)) if keeps is None else keeps(self.state)
        running = [source_row(t.weights) for t in self._pending()]
        named = [n for n in (*numbers, *running) if n is not None]
        return [artifact for n in named for artifact in self.trials[n].artifacts.values()]

    def recommended(self) -> list[Trial]:
        """The measured trials, best first (see `rank_trials`), by the strategy where it knows better."""
        known = [t for t in self.trials if t.number not in self._open]
        preferred: list[int] = []
        if isinstance(self.strategy, Recommends):
            first = {t.architecture: t.number for t in reversed(known) if t.score is not None}
            chosen: Sequence[Architecture] = self._time(self.strategy.recommend, self.state)
            preferred = [first[a] for a in chosen if a in first]
        leader = [t.number for t in list(find_incumbents(known))[-1:] if t is not None]
        ranked = rank_trials(known, self.problem.objectives, leader)
        return [self.trials[n] for n in preferred] + [t for t in ranked if t.number not in set(preferred)]

    def _row(self, number: int, request: Request) -> Row:
        means = self._check(number, request)
        trial = trial_of(number, request, self.problem.fidelity)
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
        thinking, self.thinking = self.thinking, 0.0
        learned = self.learned if self.order == ARRIVAL and known is not None else None
        state = "running" if cached is None else "cached"
        return Row(trial, key, state, 1, self.learned, thinking, learned=learned)

    def _check(self, number: int, request: Request) -> Means:
        """What carries out the request. Raises CambrianError where nothing can."""
        strategy, name = type(self.strategy).__name__, request.estimator
        if name not in self.means:
            known = did_you_mean(name, self.means)
            raise CambrianError(f"{strategy} asks for the estimator {name!r}, which this run lacks{known}")
        for kind in (type(request), type(request.weights)):
            if kind not in self.means[name].serves:
                raise CambrianError(f"{strategy} asks for {kind.__name__}, which no estimator here can do")
        row = source_row(request.weights)
        if row is not None and (not 0 <= row < number or row in self._open):
            raise CambrianError(f"{strategy} asks for the weights of row {row}, of which it has not learned")
        return self.means[name]

    def _original(self, trial: Trial) -> Any:
        """The trial's weights, the row they name being one that was measured and no repeat."""
        row = source_row(trial.weights)
        cached = None if row is None else self.trials[row].cached
        return trial.weights if cached is None else msgspec.structs.replace(trial.weights, row=cached)

    def _pending(self) -> list[Trial]:
        return [msgspec.structs.replace(self.trials[n], outcome=None) for n in self._open]

    def _learnable(self) -> bool:
        return self._resolve(self.trials[self.learned]).outcome is not None

    def _learn(self, number: int) -> None:
        trial = self._resolve(self.trials[number])
        self.trials[number] = trial
        self.state = self._time(self.strategy.learn, self.state, trial.turn_upwards())
        self.learned += 1
        del self._open[number]
        self.breaker.see(trial)

    def _resolve(self, trial: Trial) -> Trial:
        if trial.cached is None or trial.outcome is not None:
            return trial
        return msgspec.structs.replace(trial, outcome=self.trials[trial.cached].outcome)

    def _repeats(self) -> int:
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
