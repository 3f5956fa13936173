"""REINFORCE: Zoph & Le, "Neural Architecture Search with Reinforcement Learning" (ICLR 2017, Sec. 3.2).

An LSTM controller writes an architecture decision by decision; the gradient of its log-probability,
times how much better than a moving average the architecture turned out, is followed uphill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.outcome import Trial
from cambrian.policies import controller
from cambrian.policies.decisions import Walk, reward, walk_of, worse
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class State:
    """`baseline` is the moving average of rewards, None before the first; `batch` what was learned
    since the last update, with what each was better by."""

    space: Space
    policy: controller.Policy
    baseline: float | None = None
    worst: float | None = None
    batch: tuple[tuple[Walk, float], ...] = ()


@dataclass(frozen=True)
class Reinforce:
    """The reward is `value ** power`. `decay` is that of the moving average, `batch` how many trials
    make an update, `bound` that of the initial weights. A trial that failed is learned from as the
    worst value known. The paper's learning rate is for thousands of trials; this one, and a baseline
    that follows within a few trials, are for hundreds."""

    lr: float = 2e-3
    decay: float = 0.8
    power: Annotated[int, Span(0, 100, above=True)] = 1
    batch: int = 1
    layers: int = 2
    hidden: int = 35
    bound: float = 0.08
    bins: int = 16
    needs: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        controller.check(self)

    @staticmethod
    def paper() -> Reinforce:
        """Two layers of 35 units, weights from U[-0.08, 0.08], Adam at 0.0006, updates on 8 children, the
        cube of the accuracy (Sec. 4.1)."""
        return Reinforce(lr=6e-4, decay=0.95, power=3, batch=8)

    def start(self, problem: Problem) -> State:
        return State(problem.space, controller.start(problem.seed, self.layers, self.hidden, self.bound))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        return Evaluate(controller.sample(state.policy, state.space, rng, self.bins))

    def learn(self, state: State, trial: Trial) -> State:
        state = replace(state, worst=worse(trial, state.worst))
        found = reward(trial, state.worst)
        if found is None:
            return state
        found = math.copysign(abs(found) ** self.power, found)
        before = found if state.baseline is None else state.baseline
        baseline = self.decay * before + (1 - self.decay) * found
        walk = walk_of(state.space, trial.architecture, self.bins)
        batch = (*state.batch, (walk, found - before))
        if len(batch) < self.batch:
            return replace(state, baseline=baseline, batch=batch)
        walks, better = zip(*batch)
        policy = controller.ascend(state.policy, walks, steepest(better), self.lr)
        return replace(state, baseline=baseline, batch=(), policy=policy)


def steepest(better: Sequence[float]) -> controller.Slope:
    """REINFORCE's gradient (Sec. 3.2): that of each log-probability, times how much better than the
    baseline its architecture was, on average over the batch."""
    by_log = np.array(better) / len(better)
    return lambda logs, entropies: (by_log, np.zeros_like(by_log))
