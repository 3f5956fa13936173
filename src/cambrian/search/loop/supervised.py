"""A strategy under supervision: its time is taken, and it stops where every trial crashes alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.request import Proposal, Stop
from cambrian.search.loop.breaker import Breaker
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    import numpy as np


class Supervised:
    """`strategy`, whose calls take `thinking` seconds in all, and whose failures `breaker` counts."""

    def __init__(self, strategy: Strategy, breaker: Breaker) -> None:
        self.strategy, self.breaker = strategy, breaker
        self.thinking = 0.0

    @property
    def needs(self) -> tuple[type, ...]:
        return self.strategy.needs

    @property
    def requests(self) -> tuple[type, ...]:
        return tuple(getattr(self.strategy, "requests", ()))

    @property
    def own_trials(self) -> bool:
        return bool(getattr(self.strategy, "own_trials", False))

    @property
    def inner(self) -> Strategy:
        return self.strategy

    def start(self, problem: Problem) -> Any:
        with self.measure_time():
            return self.strategy.start(problem)

    def propose(self, state: Any, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        # Asked when a proposal is due: the search stops at the same trial in whatever order outcomes come.
        if self.breaker.tripped:
            return Stop(self.breaker.reason)
        with self.measure_time():
            return self.strategy.propose(state, pending, rng)

    def learn(self, state: Any, trial: Trial) -> Any:
        with self.measure_time():
            state = self.strategy.learn(state, trial)
        self.breaker.see(trial)  # when a ledger is folded again too: a resumed search stops where it stopped
        return state

    @contextmanager
    def measure_time(self) -> Iterator[None]:
        """Add the seconds within, also where the strategy raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.thinking += time.perf_counter() - started

    def take_thinking(self) -> float:
        """The seconds since this was asked last."""
        thinking, self.thinking = self.thinking, 0.0
        return thinking
