"""REINFORCE: Zoph & Le, "Neural Architecture Search with Reinforcement Learning" (ICLR 2017, Sec. 3.2).

An LSTM controller samples an architecture decision by decision. Its parameters follow the gradient of the
log-probability, weighted by the difference between the reward and a moving average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.outcome import Trial
from cambrian.policies import controller
from cambrian.policies.decisions import Walk, walk_of
from cambrian.policies.rewards import Rewards
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.reinforcement.controlled import check_controller
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class State:
    """`baseline` is the moving average of rewards, None before the first; `batch` are the walks learned
    since the last update, each with its reward above the baseline."""

    space: Space
    policy: controller.Policy
    baseline: float | None = None
    rewards: Rewards = Rewards()
    batch: tuple[tuple[Walk, float], ...] = ()


@dataclass(frozen=True)
class Reinforce:
    """The reward is `value ** power`. `decay` is the decay of the moving average, `batch` the number of
    trials per update, `bound` the bound of the initial weights. A failed trial counts as the worst value
    known, and so does one far below the others (see `Rewards`). The paper's learning rate is for thousands of
    trials; the defaults, a higher rate and a baseline that adapts within a few trials, are for hundreds."""

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
        check_controller(self)

    @staticmethod
    def paper() -> Reinforce:
        """Two layers of 35 units, weights from U[-0.08, 0.08], Adam at 0.0006, updates on 8 children, the
        cube of the accuracy (Sec. 4.1)."""
        return Reinforce(lr=6e-4, decay=0.95, power=3, batch=8)

    def start(self, problem: Problem) -> State:
        return State(problem.space, self._begin(problem.seed))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        return Evaluate(controller.sample(state.policy, state.space, rng, self.bins))

    def learn(self, state: State, trial: Trial) -> State:
        state = self._learn_value(state, trial)
        value = state.rewards.read(trial, self.power)
        if value is None:
            return state
        # The baseline before this trial: one that included it would be correlated with the reward.
        before = value if state.baseline is None else state.baseline
        baseline = self.decay * before + (1 - self.decay) * value
        walk = walk_of(state.space, trial.architecture, self.bins)
        batch = (*state.batch, (walk, value - before))
        if len(batch) < self.batch:
            return replace(state, baseline=baseline, batch=batch)
        walks, better = zip(*batch)
        policy = controller.ascend(state.policy, walks, steepest(better), self.lr)
        return replace(state, baseline=baseline, batch=(), policy=policy)

    def _learn_value(self, state: State, trial: Trial) -> State:
        """The state with the value of the trial; a policy that begins anew where this shows an earlier one to
        be far out."""
        rewards = state.rewards.learn(trial)
        if not rewards.overturns(state.rewards):
            return replace(state, rewards=rewards)
        return State(state.space, self._begin(state.policy.seed), rewards=rewards)

    def _begin(self, seed: int) -> controller.Policy:
        return controller.start(seed, self.layers, self.hidden, self.bound)


def steepest(better: Sequence[float]) -> controller.Slope:
    """REINFORCE's gradient (Sec. 3.2): the mean over the batch of each log-probability's gradient times its
    reward above the baseline. The entropy has no part in it."""
    by_log = np.array(better) / len(better)
    return lambda logs, entropies: (by_log, np.zeros_like(by_log))
