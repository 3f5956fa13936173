"""Tournament evolution without ageing.

`Tournament` is Real et al., "Large-Scale Evolution of Image Classifiers" (ICML 2017), Sec. 3.1: of two
random members the worse dies and the better has a child; all descend from a trivial network.

`HierarchicalTournament` is Liu et al., "Hierarchical Representations for Efficient Architecture Search"
(ICLR 2018), Sec. 3: the best of a random 5 % has a child, and no member dies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from cambrian.architecture import Architecture, questions, sample
from cambrian.choices import Answer, Choice, OneOf, Real
from cambrian.errors import Rejected
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import Span
from cambrian.spaces.growth.moves import MOVES, TRIES
from cambrian.spaces.knowledge import Moves, know
from cambrian.strategies.evolution.population import Member, mutate_or_draw, tournament
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal
from cambrian.weights import Fresh, Inherit

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class State:
    space: Space
    trivial: Architecture
    population: tuple[Member, ...] = ()
    born: int = 0


@dataclass(frozen=True)
class Tournament:
    """The population grows from one member to `population` members, then loses one for each child.

    The paper's thousand first members are one network, trained a thousand times; this strategy measures it
    once. A child differs from its parent by one of the space's `Moves`, each kind equally likely (Sec. 3.2),
    or, if the only moves of the space edit a list of layers, also by one answer. The loser of a tournament
    whose child is pending is dead already.

    With `inherits` a child begins with those of its parent's weights whose names and shapes agree with its
    own (Sec. 3.5), which needs an estimator that can."""

    population: Annotated[int, Span(2)] = 25
    inherits: bool = False
    needs: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        check_settings(self)

    @staticmethod
    def paper() -> Tournament:
        """A thousand members (Sec. 3.1)."""
        return Tournament(population=1000)

    @property
    def requests(self) -> tuple[type, ...]:
        return (Evaluate, Fresh, Inherit) if self.inherits else (Evaluate, Fresh)

    def start(self, problem: Problem) -> State:
        return State(problem.space, trivial(problem.space, problem.seed))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if not state.born and not pending:
            return Evaluate(state.trivial)
        # Two pending children must not both kill the same member, nor may a dead one win.
        dead = {t.memory.get("beaten") for t in pending}
        alive = [m for m in state.population if m.number not in dead]
        if not alive:
            return Evaluate(edit(state.space, state.trivial, rng))
        winner, *losers = tournament(alive, 2, rng)
        full = len(alive) + len(pending) >= self.population
        # In the trial's memory, so that `learn` removes the loser when the child takes its place.
        memory = {"beaten": losers[0].number} if losers and full else {}
        child = edit(state.space, winner.architecture, rng)
        # A winner that failed has no weights to give.
        trained = self.inherits and winner.value > -math.inf
        weights = Inherit(winner.number) if trained else Fresh()
        return Evaluate(child, parent=winner.number, weights=weights, memory=memory)

    def learn(self, state: State, trial: Trial) -> State:
        alive = tuple(m for m in state.population if m.number != trial.memory.get("beaten"))
        return replace(state, population=(*alive, Member.of(trial)), born=state.born + 1)


@dataclass(frozen=True)
class HierarchicalTournament:
    """`initial` members, each the trivial architecture after `mutations` random mutations; then children
    of the best in a random `share` of the population, of two members at least."""

    initial: Annotated[int, Span(1)] = 20
    mutations: Annotated[int, Span(0, 10_000)] = 100
    share: Annotated[float, Span(0, 1, above=True)] = 0.05
    needs: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        check_settings(self)

    @staticmethod
    def paper() -> HierarchicalTournament:
        """200 first members of 7,000, a thousand mutations each, tournaments of 5 % (Sec. 4.1)."""
        return HierarchicalTournament(initial=200, mutations=1000, share=0.05)

    def start(self, problem: Problem) -> State:
        return State(problem.space, trivial(problem.space, problem.seed))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if state.born + len(pending) < self.initial or not state.population:
            child = state.trivial
            # The paper's way of diversifying: a long random walk from one motif (Sec. 3.2).
            for _ in range(self.mutations):
                child = mutate_or_draw(state.space, child, rng)
            return Evaluate(child)
        size = max(2, math.ceil(self.share * len(state.population)))
        winner = tournament(state.population, size, rng)[0]
        return Evaluate(mutate_or_draw(state.space, winner.architecture, rng), parent=winner.number)

    def learn(self, state: State, trial: Trial) -> State:
        return replace(state, population=(*state.population, Member.of(trial)), born=state.born + 1)


def trivial(space: Space, seed: int) -> Architecture:
    """The architecture of the first answer to every question, which has the least depth; a random one if the
    space rejects it."""
    try:
        return space.walk(_first)
    except Rejected:
        return sample(space, stream(seed, "trivial"))


def _first(choice: Choice) -> Answer:
    return choice.low if isinstance(choice, Real) else next(choice.answers())


def edit(space: Space, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """The architecture after one of the space's moves. If the moves only insert and remove layers, a mutation
    of one answer is a further kind. Each possible kind is equally likely."""
    moving = know(space, Moves)
    if moving is None:
        return mutate_or_draw(space, architecture, rng)
    kinds = [*moving.moves, *([""] if moving.moves == MOVES else [])]  # "" stands for the mutation
    # In random order, the first that succeeds: a kind that cannot be applied leaves its share to the rest.
    for kind in rng.permutation(kinds).tolist():
        child = moving.move(kind, architecture, rng) if kind else _alter(space, architecture, rng)
        if child is not None and child != architecture:
            return child
    return mutate_or_draw(space, architecture, rng)


def _alter(space: Space, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
    """The architecture with one answer changed, but the same number of layers, which only moves change. None
    if no such mutation is found."""
    asked = questions(space, architecture)
    depths = [c.path for c in asked if isinstance(c, OneOf) and c.depth]
    for _ in range(TRIES):
        child = mutate_or_draw(space, architecture, rng)
        if all(child.get(path) == architecture[path] for path in depths):
            return child
    return None
