"""Episodes of a controller that transforms a trained network (Cai et al. 2018): a batch of children of one
network, after which the controller learns by REINFORCE from tan(pi / 2 accuracy) above a moving baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Trial
from cambrian.policies.rewards import Rewards
from cambrian.problem import Problem
from cambrian.strategies.evolution.population import Member
from cambrian.strategies.evolution.tournament import trivial
from cambrian.strategies.morphing.children import lengthen, rank_members, row_of
from cambrian.strategies.strategy import Evaluate, Wait
from cambrian.weights import MORPHISM, Inherit

if TYPE_CHECKING:
    import numpy as np

    from cambrian.strategies.morphing.decided import Decided
    from cambrian.strategies.morphing.named_weights import NamedWeights, Reader

TRIES = 10
"""Draws of a child that this episode does not have before one of them is trained again."""
DECAY = 0.95
"""Of the baseline: ema += DECAY * (mean reward - ema), as in the released code."""
HIGHEST = 0.995
"""The accuracy from which on rewards are equal."""
RECOMMENDED = 30
"""The best networks that are kept for the recommendation."""


@dataclass(frozen=True, eq=False)
class State:
    """`leader` is the network that is transformed, None before the first one is trained, and `ranked` are the
    best networks so far, best first. Of the present `episode`, `walks` are those of the children that are
    learned, with their values, None for one that failed."""

    problem: Problem
    controller: NamedWeights | None = None
    leader: Member | None = None
    ranked: tuple[Member, ...] = ()
    episode: int = 0
    walks: tuple[tuple[Any, float | None], ...] = ()
    baseline: float = 0.0
    rewards: Rewards = Rewards()
    architectures: frozenset[Architecture] = frozenset()  # of this episode

    @property
    def best(self) -> Member | None:
        """The best network so far, None before the first one is trained."""
        return next(iter(self.ranked), None)

    def recommend(self) -> list[Architecture]:
        """The best networks by their values. Children have learned on from their leader, so that their own
        epochs do not say how long: by them the first network, which may have had more, would stand before
        all others."""
        return [member.architecture for member in self.ranked]

    def keeps(self) -> list[int]:
        """The rows of the network that is transformed and of the best one."""
        return sorted({member.number for member in (self.leader, self.best) if member is not None})


def begin(state: State, epochs: int | None, rng: np.random.Generator) -> Evaluate:
    """The first network: the smallest of the space; a random one where that failed."""
    problem = state.problem
    first = sample(problem.space, rng) if state.architectures else trivial(problem.space, problem.seed)
    return Evaluate(first, lengthen(problem, epochs), reason={"episode": 0}, memory={"episode": 0})


def list_current(state: State, pending: Sequence[Trial]) -> list[Trial]:
    """The pending trials of the present episode."""
    return [t for t in pending if t.memory.get("episode") == state.episode]


def is_taken(state: State, pending: Sequence[Trial], child: Architecture) -> bool:
    """Whether the child is its own leader, or one of this episode already."""
    assert state.leader is not None
    known = state.architectures | {t.architecture for t in pending}
    return child in known or child == state.leader.architecture


def propose_next(
    state: State,
    pending: Sequence[Trial],
    networks: int,
    epochs: int | None,
    draw: Callable[[], tuple[Architecture, dict[str, Any]]],
) -> Evaluate | Wait:
    """The next of an episode's `networks`, one that it does not have as far as `draw` finds any. `draw` gives
    a child of the leader, and what its trial is to remember beside the episode."""
    current = list_current(state, pending)
    place = len(state.walks) + len(current)
    if place >= networks:
        return Wait()
    for _ in range(TRIES):
        child, note = draw()
        repeats = is_taken(state, current, child)
        if not repeats:
            break
    return propose_child(state, child, epochs, state.episode * networks + place if repeats else 0, **note)


def propose_child(
    state: State, child: Architecture, epochs: int | None, replicate: int, **note: Any
) -> Evaluate:
    """The child from its leader's weights; `note` goes into its memory."""
    assert state.leader is not None
    return Evaluate(
        child,
        lengthen(state.problem, epochs),
        parent=state.leader.number,
        replicate=replicate,
        weights=Inherit(state.leader.number, MORPHISM),
        reason={"episode": state.episode},
        memory={"episode": state.episode, **note},
    )


def learn_trial(state: State, trial: Trial, walk: Any) -> State:
    """The state with a trial of the present episode."""
    member = replace(Member.of(trial), number=row_of(trial))
    failed = member.value == -math.inf
    known = state.architectures | {member.architecture}
    if state.leader is None:
        if failed:
            return replace(state, architectures=known)
        return replace(state, leader=member, ranked=(member,), architectures=known, episode=1)
    ranked = tuple(rank_members([*state.ranked, member])[:RECOMMENDED])
    walks = (*state.walks, (walk, None if failed else member.value))
    state = replace(state, walks=walks, ranked=ranked, architectures=known)
    rewards = state.rewards.learn(trial)
    if rewards.overturns(state.rewards):
        return replace(state, rewards=rewards, controller=None, baseline=0.0)
    return replace(state, rewards=rewards)


def end_episode(
    state: State, improve: Callable[[Sequence[Any], Sequence[float]], NamedWeights], moves_on: bool
) -> State:
    """The state at the beginning of the next episode, with a controller that has learned from this one; the
    best network leads from now on where the search `moves_on`."""
    # A child that failed counts as the worst known; while none has a value, there is nothing to learn.
    scored = [(walk, state.rewards.bound(value)) for walk, value in state.walks]
    pairs = [(walk, shape_reward(value)) for walk, value in scored if value is not None]
    controller, baseline = state.controller, state.baseline
    if pairs:
        baseline = move_baseline(baseline, [reward for _, reward in pairs])
        controller = improve([walk for walk, _ in pairs], [reward - baseline for _, reward in pairs])
    return State(
        state.problem,
        controller,
        state.best if moves_on else state.leader,
        state.ranked,
        state.episode + 1,
        baseline=baseline,
        rewards=state.rewards,
    )


def reinforce(
    controller: NamedWeights,
    read_walk: Callable[[Reader, Any], Decided],
    walks: Sequence[Any],
    better: Sequence[float],
    entropy: float,
    lr: float,
) -> NamedWeights:
    """REINFORCE: uphill by the log-probabilities of walks, each weighted by its reward above the baseline."""
    import torch
    from torch import Tensor

    from cambrian.strategies.morphing.named_weights import ascend

    def measure(read: Reader) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for walk, weight in zip(walks, better, strict=True):
            decided = read_walk(read, walk)
            total = total + weight * decided.log_probability + entropy * decided.entropy
        return total / len(walks)

    return ascend(controller, measure, lr)


def move_baseline(baseline: float, rewards: Sequence[float]) -> float:
    """The baseline after an episode, which that episode's own rewards are held against.

    >>> round(move_baseline(0.0, [0.2, 0.4]), 4)
    0.285
    """
    return baseline + DECAY * (sum(rewards) / len(rewards) - baseline)


def shape_reward(value: float) -> float:
    """tan(pi / 2 * accuracy): near the top, the same gain is worth more (Cai et al. 2018, Sec.
    "Experiments"). Values that are not accuracies, such as the negative of a loss, stay as they are.

    >>> round(shape_reward(0.5), 3), round(shape_reward(0.9), 3), shape_reward(-2.0)
    (1.0, 6.314, -2.0)
    """
    # At 1 the tangent has no end: one perfect child would outweigh all others.
    return math.tan(math.pi / 2 * min(value, HIGHEST)) if 0 <= value <= 1 else value
