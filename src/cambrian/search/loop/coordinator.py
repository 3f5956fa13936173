"""Who decides what is tried next: the strategy, told exactly what it may know.

Proposal n is made knowing the outcomes of trials 0..n-L and no others, L being the run's lag: the
same on every engine and with any number of workers. Where a strategy must wait for more (the end of
a level), it is told one trial more at a time, in their order, which is the same everywhere too.
Resuming folds `learn` over the ledger; recorded proposals are read, never made again.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from cambrian.architecture import replay
from cambrian.codec import encode
from cambrian.errors import CambrianError
from cambrian.outcome import Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.search.ledger.keys import trial_key
from cambrian.search.ledger.ledger import FINAL, Ledger, Row
from cambrian.search.loop.breaker import Breaker
from cambrian.spaces.knowledge import Canonical, know
from cambrian.strategies.strategy import Evaluate, Job, Stop, Strategy, Wait

EXHAUSTED = 200
"""So many repeats in a row end a search: the strategy finds nothing new."""


class Coordinator:
    """Owns the strategy's state and the order of things; knows nothing of engines."""

    def __init__(
        self,
        problem: Problem,
        strategy: Strategy,
        ledger: Ledger,
        *,
        lag: int,
        recipe: str,
        forgiven: int = 0,
        raw: bool = False,
    ) -> None:
        self.problem, self.space, self.strategy, self.ledger = problem, problem.space, strategy, ledger
        self.lag, self.recipe = lag, recipe
        self.raw = raw or know(self.space, Canonical) is None
        rows = ledger.rows()
        self.trials: list[Trial] = [r.trial for r in rows if r.trial.number < FINAL]
        self._numbers: dict[str, int] = {}
        for row in rows:
            self._numbers.setdefault(row.key, row.trial.number)
        self.thinking = 0.0
        self.learned = 0
        self.breaker = Breaker(forgiven)
        self.state: Any = self._time(strategy.start, problem)
        knew = max((r.knew for r in rows if r.trial.number < FINAL), default=0)
        while self.learned < knew:
            self._learn()

    def next(self) -> Row | Wait | Stop:
        """The next row to claim, or Wait for an outcome that must be known first, or Stop."""
        number = len(self.trials)
        if self._repeats() >= EXHAUSTED:
            return Stop(f"exhausted: {EXHAUSTED} proposals in a row had been tried before")
        while self.learned < number - self.lag + 1:
            if not self._learnable():
                return Wait()
            self._learn()
        while True:
            if self.breaker.tripped:
                return Stop(self.breaker.reason)
            rng = stream(self.problem.seed, "propose", number)
            proposal = self._time(self.strategy.propose, self.state, self._pending(), rng)
            if not isinstance(proposal, Wait):
                break
            if self.learned == number:
                raise CambrianError(
                    f"{type(self.strategy).__name__} waits though nothing is pending after {number} trials"
                )
            if not self._learnable():
                return Wait()
            self._learn()
        if isinstance(proposal, Stop):
            return proposal
        return self._row(number, proposal)

    def claimed(self, row: Row) -> None:
        """Told of what `next` gave, before it is asked for more."""
        self.trials.append(self._resolve(row.trial))
        self._numbers.setdefault(row.key, row.trial.number)

    def finished(self, number: int, outcome: Outcome) -> None:
        """Told of an outcome, before `next` is asked for what may depend on it."""
        self.trials[number] = msgspec.structs.replace(self.trials[number], outcome=outcome)

    def _row(self, number: int, proposal: Evaluate | Job) -> Row:
        if isinstance(proposal, Job):
            raise CambrianError(f"no estimator here can do the job {proposal.name!r}")
        architecture = replay(self.space, proposal.architecture)
        fidelity = proposal.fidelity or self.problem.fidelity
        key = trial_key(self.space, architecture, fidelity, self.recipe, proposal.replicate, self.raw)
        cached = self._numbers.get(key)
        trial = Trial(
            number=number,
            architecture=architecture,
            fidelity=fidelity,
            parent=proposal.parent,
            replicate=proposal.replicate,
            note=msgspec.json.decode(encode(proposal.note)) if proposal.note else {},
            cached=cached,
            outcome=None if cached is None else self.trials[cached].outcome,
        )
        thinking, self.thinking = self.thinking, 0.0
        return Row(trial, key, "running" if cached is None else "cached", 1, self.learned, thinking)

    def _pending(self) -> list[Trial]:
        return [msgspec.structs.replace(t, outcome=None) for t in self.trials[self.learned :]]

    def _learnable(self) -> bool:
        return self._resolve(self.trials[self.learned]).outcome is not None

    def _learn(self) -> None:
        trial = self._resolve(self.trials[self.learned])
        self.trials[self.learned] = trial
        self.state = self._time(self.strategy.learn, self.state, trial.maximised())
        self.learned += 1
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
