"""Random search: independent draws under the space's own measure (Li & Talwalkar 2019's baseline)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cambrian.architecture import sample
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Random:
    needs: ClassVar[tuple[type, ...]] = ()
    random_first: ClassVar[bool] = True

    def start(self, problem: Problem) -> Space:
        space: Space = problem.space
        return space

    def propose(self, state: Space, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        return Evaluate(sample(state, rng))

    def learn(self, state: Space, trial: Trial) -> Space:
        return state
