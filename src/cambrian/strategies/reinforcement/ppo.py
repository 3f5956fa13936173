"""PPO as NASNet used it: Zoph et al., "Learning Transferable Architectures for Scalable Image
Recognition" (CVPR 2018, App. A.1), with the clipped objective of Schulman et al. (2017, Sec. 3).

The controller of REINFORCE with one layer, updated several times on each batch of architectures, as
long as their probabilities stay near those at the time of sampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np

from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.policies import controller
from cambrian.policies.decisions import Walk, walk_of
from cambrian.policies.lstm import Floats
from cambrian.policies.rewards import Rewards
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.reinforcement.controlled import check_controller
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait

if TYPE_CHECKING:
    from cambrian.architecture import Architecture
    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Lesson:
    """A walk, its reward above the baseline, and the logarithm of its probability when it was sampled."""

    walk: Walk
    better: float
    log: float


@dataclass(frozen=True)
class State:
    """After `trials` trials of the search comes the reranking; `learned` are the trials of the search alone,
    `reranked` those of the reranking, `objectives` the number of the run's. `baseline` is the moving average
    of rewards, `batch` are the lessons since the last update."""

    space: Space
    policy: controller.Policy
    trials: int
    learned: tuple[Trial, ...] = ()
    reranked: tuple[Trial, ...] = ()
    objectives: int = 1
    baseline: float | None = None
    rewards: Rewards = Rewards()
    batch: tuple[Lesson, ...] = ()


TRIALS = 300
"""The trials before the reranking if the run does not have a number of trials."""


@dataclass(frozen=True)
class PPO:
    """After every `batch` trials come `epochs` updates with ratios clipped at 1 +- `clip`; `entropy` is the
    weight of the policy's entropy, `decay` the decay of the moving average. A failed trial counts as the
    worst value known, and so does one far below the others (see `Rewards`).

    With `rerank`, the search ends after `trials` trials (None: those of the run less those of the
    reranking), and the `rerank` best architectures are measured once more, for `rerank_epochs` epochs (None:
    at the same fidelity, independently). Recommended is the best of these by its second value, as in the
    paper, or at the same fidelity by the mean of both."""

    lr: float = 2e-3
    clip: Annotated[float, Span(0, 1000, above=True)] = 0.2
    entropy: Annotated[float, Span(0, 1000)] = 1e-5
    batch: int = 10
    epochs: Annotated[int, Span(1, 1000)] = 4
    decay: float = 0.95
    layers: int = 1
    hidden: int = 100
    bound: float = 0.1
    bins: int = 16
    rerank: Annotated[int, Span(0)] = 0
    rerank_epochs: Annotated[int | None, Span(1)] = None
    trials: Annotated[int | None, Span(1)] = None
    needs: ClassVar[tuple[type, ...]] = ()
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_controller(self)

    @staticmethod
    def paper() -> PPO:
        """100 units, weights from U[-0.1, 0.1], Adam at 0.00035, entropy weighted 0.00001, batches of 20;
        of 20,000 architectures, trained for 20 epochs, the best 250 are trained for 300."""
        return PPO(lr=3.5e-4, batch=20, rerank=250, rerank_epochs=300, trials=20_000)

    def start(self, problem: Problem) -> State:
        policy = self._begin(problem.seed)
        left = TRIALS if problem.trials is None else problem.trials - self.rerank
        if self.trials is None and left < 1 <= self.rerank:
            raise UsageError(
                f"strategy 'ppo': rerank is less than the run's {problem.trials} trials, of which it leaves"
                f" the rest to the search, got {self.rerank}"
            )
        return State(problem.space, policy, self.trials or left, objectives=len(problem.objectives))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        searching = [t for t in pending if not _is_rerank(t)]
        # The ranking needs all values of the search, so that its last trials are waited for.
        if self.rerank and len(state.learned) + len(searching) >= state.trials:
            return Wait() if searching else self._rerank(state, pending)
        architecture = controller.sample(state.policy, state.space, rng, self.bins)
        walk = walk_of(state.space, architecture, self.bins)
        return Evaluate(architecture, memory={"log_probability": _log_probability(state.policy, walk)})

    def learn(self, state: State, trial: Trial) -> State:
        if _is_rerank(trial):
            return replace(state, reranked=(*state.reranked, trial))
        state = self._learn_value(replace(state, learned=(*state.learned, trial)), trial)
        value = state.rewards.read(trial)
        if value is None:
            return state
        # The advantage is taken over the baseline before this trial, which is independent of it.
        before = value if state.baseline is None else state.baseline
        state = replace(state, baseline=self.decay * before + (1 - self.decay) * value)
        walk = walk_of(state.space, trial.architecture, self.bins)
        # The policy may have been updated since the trial was proposed: the ratio is over the old one. A
        # trial that another strategy proposed has no probability of its own, and starts with ratio 1.
        drawn = trial.memory.get("log_probability")
        drawn = _log_probability(state.policy, walk) if drawn is None else drawn
        batch = (*state.batch, Lesson(walk, value - before, drawn))
        if len(batch) < self.batch:
            return replace(state, batch=batch)
        return replace(state, batch=(), policy=self._update(state.policy, batch))

    def _learn_value(self, state: State, trial: Trial) -> State:
        """The state with the value of the trial; a policy that begins anew where this shows an earlier one to
        be far out."""
        rewards = state.rewards.learn(trial)
        if not rewards.overturns(state.rewards):
            return replace(state, rewards=rewards)
        return replace(state, rewards=rewards, policy=self._begin(state.policy.seed), baseline=None, batch=())

    def _begin(self, seed: int) -> controller.Policy:
        return controller.start(seed, self.layers, self.hidden, self.bound)

    def recommend(self, state: State) -> Sequence[Architecture]:
        """The architectures that were reranked, best first; none before the best of the search is among them,
        nor of several objectives, of which one value alone would be ranked."""
        best = _best(state.learned, self.rerank)
        second = {t.parent: t for t in state.reranked}
        if state.objectives > 1 or not best or best[0].number not in second:
            return ()
        pairs = [(first, second[first.number]) for first in best if first.number in second]
        return [first.architecture for first, again in sorted(pairs, key=lambda pair: -self._judge(*pair))]

    def _judge(self, first: Trial, again: Trial) -> float:
        """The second value, or where both were measured alike the mean of those that there are."""
        measured = (again,) if self._is_longer(first) else (first, again)
        values = [t.value for t in measured if t.value is not None]
        return sum(values) / len(values) if values else -math.inf

    def _is_longer(self, first: Trial) -> bool:
        """Whether the second measurement of a trial is at another fidelity."""
        return self.rerank_epochs is not None and self.rerank_epochs != first.fidelity.epochs

    def _update(self, policy: controller.Policy, batch: Sequence[Lesson]) -> controller.Policy:
        walks = [lesson.walk for lesson in batch]
        # Schulman et al. 2017, Algorithm 1: K epochs on the same samples; the clip bounds how far they go.
        for _ in range(self.epochs):
            policy = controller.ascend(policy, walks, steepest(batch, self.clip, self.entropy), self.lr)
        return policy

    def _rerank(self, state: State, pending: Sequence[Trial]) -> Proposal:
        asked = {t.parent for t in (*state.reranked, *pending)}
        for rank, trial in enumerate(_best(state.learned, self.rerank), start=1):
            if trial.number in asked:
                continue
            fidelity, asked_again = None, {"rerank": rank}
            if self._is_longer(trial):
                fidelity = msgspec.structs.replace(trial.fidelity, epochs=self.rerank_epochs)
            # At the same fidelity it is a replicate: without a number the first value would be repeated.
            replicate = int(fidelity is None)
            return Evaluate(
                trial.architecture,
                fidelity,
                trial.number,
                replicate,
                reason=asked_again,
                memory=asked_again,
            )
        return Stop(f"the best {self.rerank} of {len(state.learned)} have been measured again")


def ratios(logs: Floats, batch: Sequence[Lesson]) -> Floats:
    """The ratio [n] of each architecture's probability to that at the time of sampling."""
    ratio: Floats = np.exp(logs - [lesson.log for lesson in batch])
    return ratio


def clip_objective(ratio: Floats, better: Floats, clip: float) -> Floats:
    """The terms [n] of L^CLIP, which is their mean (Schulman et al. 2017, equation 7)."""
    return np.minimum(ratio * better, ratio.clip(1 - clip, 1 + clip) * better)


def steepest(batch: Sequence[Lesson], clip: float, entropy: float) -> controller.Slope:
    """The gradient of L^CLIP and of `entropy` times the mean entropy. The derivative of ratio * better by the
    log-probability is ratio * better itself; a clipped term has derivative 0."""
    better = np.array([lesson.better for lesson in batch])

    def slope(logs: Floats, entropies: Floats) -> tuple[Floats, Floats]:
        plain = ratios(logs, batch) * better
        # A term is clipped only where that lowers it: it may always come back towards the old policy.
        free = clip_objective(ratios(logs, batch), better, clip) == plain
        return np.where(free, plain, 0.0) / len(batch), np.full(len(batch), entropy / len(batch))

    return slope


def _log_probability(policy: controller.Policy, walk: Walk) -> float:
    policy = controller.add_rows(policy, [decision for decision, _ in walk])
    return float(controller.read(policy, [walk]).log_probability()[0])


def _is_rerank(trial: Trial) -> bool:
    return "rerank" in trial.memory


def _best(trials: Sequence[Trial], count: int) -> list[Trial]:
    """The first trials of the `count` best architectures, best first."""
    first: dict[Any, Trial] = {}
    for trial in sorted(
        (t for t in trials if t.value is not None), key=lambda t: (-float(t.value or 0), t.number)
    ):
        first.setdefault(trial.architecture, trial)
    return list(first.values())[:count]
