"""A strategy: change one answer of the best architecture, and be content after a row of failures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cambrian.architecture import Architecture, sample
from cambrian.neighbourhood import neighbours
from cambrian.strategies.strategy import Evaluate, Stop


@dataclass(frozen=True)
class State:
    """The best so far, and how many trials since it was found."""

    space: Any
    best: Architecture | None = None
    value: float = float("-inf")
    failures: int = 0


@dataclass(frozen=True)
class Patient:
    """Stops after `patience` trials that were no better."""

    patience: int = 30
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem):
        return State(problem.space)

    def propose(self, state, pending, rng):
        if state.failures >= self.patience:
            return Stop(f"{self.patience} trials were no better")
        near = neighbours(state.space, state.best, rng, cap=4) if state.best else []
        return Evaluate(near[rng.integers(len(near))] if near else sample(state.space, rng))

    def learn(self, state, trial):
        if trial.value is None or trial.value <= state.value:
            return replace(state, failures=state.failures + 1)
        return State(state.space, trial.architecture, trial.value)
