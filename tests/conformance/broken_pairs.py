"""Pairs that a kill changes: what the process remembers, and the ledger does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cambrian.architecture import sample
from cambrian.estimators.estimator import Estimate, Job
from cambrian.outcome import Done, Point, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.strategies.strategy import Evaluate, Proposal


@dataclass(frozen=True)
class OfThisProcess:
    """A measurement that depends on the process that makes it."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        yield Point(1, {"value": 0.0})
        return Done(float(os.getpid()))


@dataclass(frozen=True)
class Forgetful:
    """Remembers in the process how often it was asked, instead of in its state."""

    needs: ClassVar[tuple[type, ...]] = ()
    asked: ClassVar[list[int]] = []

    def start(self, problem: Problem) -> Any:
        self.asked.clear()
        return problem.space

    def propose(self, state: Any, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        self.asked.append(len(pending))
        return Evaluate(sample(state, stream(0, "forgetful", len(self.asked))))

    def learn(self, state: Any, trial: Trial) -> Any:
        return state


@dataclass(frozen=True)
class Failing:
    """Cannot go on after a while."""

    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> Any:
        return problem.space, 0

    def propose(self, state: Any, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        space, learned = state
        if learned > 5:
            raise ValueError("made up")
        return Evaluate(sample(space, rng))

    def learn(self, state: Any, trial: Trial) -> Any:
        return state[0], state[1] + 1


BROKEN = [{"estimator": OfThisProcess()}, {"strategy": Forgetful()}, {"strategy": Failing()}]
