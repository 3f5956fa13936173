"""NASH, neuro-evolution by hill climbing: Elsken, Metzen & Hutter, "Simple and Efficient Architecture Search
for Convolutional Neural Networks" (arXiv 1711.04528), Algorithm 1.

A small network is trained. Then, in each step, children of it by random network morphisms, and the network
itself, are trained for a few epochs from its weights, with the learning rate annealed by a cosine from its
start (SGDR, Loshchilov & Hutter 2017: every child's training is one restart); the best goes on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.spaces.knowledge import Morphs
from cambrian.strategies.evolution.population import Member
from cambrian.strategies.evolution.tournament import trivial
from cambrian.strategies.morphing.children import draw_child, lengthen, morphs_of, rank_members, row_of
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait
from cambrian.weights import MORPHISM, Fresh, Inherit

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class State:
    """`leader` is the network that children descend from, None before the first one is trained; `step` counts
    the steps, and `scored` are the networks of this one that are learned, by their place. `former` are the
    other networks of the last step that had any."""

    problem: Problem
    leader: Member | None = None
    step: int = 0
    scored: Mapping[int, Member] = field(default_factory=dict)
    architectures: frozenset[Architecture] = frozenset()  # of this step
    former: tuple[Member, ...] = ()


@dataclass(frozen=True)
class NASH:
    """`neighbours` is the paper's n_neigh, the networks that each step trains: the leader itself, and
    children by `morphisms` (n_NM) random morphisms each. `epochs` are those of a child (epoch_neigh) and
    `first_epochs` those of the first network; None: as many as the search trains a network for. After `steps`
    (n_steps) it stops; None: at the end of the budget.

    The first network is the smallest of the space, by the first answer to every question. Where a child
    cannot be drawn any more, the leader is trained once more in its place."""

    neighbours: Annotated[int, Span(1, 1000)] = 4
    morphisms: Annotated[int, Span(1, 1000)] = 2
    steps: Annotated[int | None, Span(1)] = None
    epochs: Annotated[int | None, Span(1)] = None
    first_epochs: Annotated[int | None, Span(1)] = None
    needs: ClassVar[tuple[type, ...]] = (Morphs,)
    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)

    @staticmethod
    def paper() -> NASH:
        """n_steps = 8, n_neigh = 8, n_NM = 5, epoch_neigh = 17, and 20 epochs at first (Sec. 4.1)."""
        return NASH(neighbours=8, morphisms=5, steps=8, epochs=17, first_epochs=20)

    def start(self, problem: Problem) -> State:
        return State(problem)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if state.leader is None:
            return Wait() if pending else self._begin(state, rng)
        if self.steps is not None and state.step > self.steps:
            return Stop(f"{self.steps} steps are taken")
        current = [t for t in pending if t.memory.get("step") == state.step]
        place = len(state.scored) + len(current)
        if place >= self.neighbours:
            return Wait()
        taken = state.architectures | {t.architecture for t in current}
        return self._descend(state, state.leader, place, taken, rng)

    def learn(self, state: State, trial: Trial) -> State:
        member = replace(Member.of(trial), number=row_of(trial))
        if trial.memory.get("step") != state.step:
            return state
        known, leader = state.architectures | {member.architecture}, state.leader
        if leader is None:  # a first network that failed is followed by a random one
            failed = member.value == -math.inf
            return replace(state, architectures=known) if failed else _advance(state, member)
        scored = {**state.scored, int(trial.memory["place"]): member}
        if len(scored) < self.neighbours:
            return replace(state, scored=scored, architectures=known)
        # In the order of places, of which the leader's is the first: it stays where nothing is better.
        best = max((scored[place] for place in sorted(scored)), key=lambda m: m.value)
        return _advance(replace(state, scored=scored), leader if best.value == -math.inf else best)

    def recommend(self, state: State) -> list[Architecture]:
        """The leader and the other networks of this step by their values, then those of an earlier one, which
        have learned less. Each has learned on from one before it, so that its own epochs do not say
        how long: by them the first network, which may have had more, would stand before all its children."""
        if state.leader is None:
            return []
        # The leader's newest value is that of this step, where its training there has ended.
        again = any(m.architecture == state.leader.architecture for m in state.scored.values())
        members = [*([] if again else [state.leader]), *(state.scored[n] for n in sorted(state.scored))]
        ranked = [*rank_members(members), *rank_members(state.former)]
        return list(dict.fromkeys(member.architecture for member in ranked))

    def keeps(self, state: State) -> list[int]:
        """The rows of the leader and of this step."""
        members = (*([state.leader] if state.leader else []), *state.scored.values())
        return sorted({member.number for member in members})

    def _begin(self, state: State, rng: np.random.Generator) -> Evaluate:
        problem, tried = state.problem, state.architectures
        first = sample(problem.space, rng) if tried else trivial(problem.space, problem.seed)
        fidelity = lengthen(problem, self.first_epochs)
        return Evaluate(first, fidelity, reason={"step": 0}, memory={"step": 0, "place": 0})

    def _descend(
        self,
        state: State,
        leader: Member,
        place: int,
        taken: frozenset[Architecture],
        rng: np.random.Generator,
    ) -> Evaluate:
        """The leader itself in the first place, a child of it in any other."""
        morphing = morphs_of(state.problem.space)
        avoided = taken | {leader.architecture}
        drawn = draw_child(morphing, morphing.morphs, leader.architecture, self.morphisms, avoided, rng)
        child, applied = drawn if place and drawn is not None else (leader.architecture, [])
        return Evaluate(
            child,
            lengthen(state.problem, self.epochs),
            parent=leader.number,
            replicate=0 if applied else state.step * self.neighbours + place,
            weights=Inherit(leader.number, MORPHISM),
            reason={"step": state.step, "morphisms": applied},
            memory={"step": state.step, "place": place},
        )


def _advance(state: State, leader: Member) -> State:
    """The state at the beginning of the next step."""
    members = (state.scored[place] for place in sorted(state.scored))
    others = tuple(m for m in members if m.architecture != leader.architecture)
    return State(state.problem, leader, state.step + 1, former=others or state.former)
