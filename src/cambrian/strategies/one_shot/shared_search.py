"""The search of a one-shot model (Elsken et al. 2019, Sec. 4): a supernet is trained, its children are scored
with its weights, and the best of them are trained alone, which is the final stage's part.

A strategy adds the method by which the supernet is trained, and the choice of the next child.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.spaces.knowledge import Shares
from cambrian.strategies.one_shot.children import (
    choose_supernet,
    draw_child,
    find_new,
    find_outer,
    name_function,
)
from cambrian.strategies.one_shot.training import Schedule, Training
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.weights import Continue, Fresh, Shared

if TYPE_CHECKING:
    import numpy as np

ENOUGH = 10
"""Children below whose number the best of them is mostly chance."""


@dataclass(frozen=True)
class State:
    """`outer` is an architecture with the supernet's outer answers, which are `fixed`. `scored` are the
    children learned, and `met` the names of their functions. `plan` is a strategy's own."""

    problem: Problem
    outer: Architecture
    fixed: Mapping[str, Answer]
    training: Training = Training()
    scored: tuple[Trial, ...] = ()
    met: frozenset[str] = frozenset()
    plan: Any = None


@dataclass(frozen=True)
class SharedSearch(ABC):
    """The supernet is trained for the epochs of the run's fidelity in `chunks`, each of which goes on from
    the one before, where the recipe has a `decay_epochs`: its schedule does then not end with a chunk. Then
    `children` are scored."""

    chunks: Annotated[int, Span(1, 1000)] = 1
    children: Annotated[int, Span(1, 1_000_000)] = 100
    needs: ClassVar[tuple[type, ...]] = (Shares,)
    own_trials: ClassVar[bool] = True
    requests: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Continue, Shared)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def fewest_trials(self) -> int:
        """The children that are scored even if the supernet's training took longer than its part of the
        time."""
        return min(self.children, ENOUGH)

    @property
    @abstractmethod
    def method(self) -> dict[str, Any]:
        """The spec of the method by which the supernet is trained."""

    @abstractmethod
    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        """The next child to score; None where there is none before a pending one is learned, or at all."""

    def look_back(self, state: State) -> State:
        """The state after a child was learned, or the supernet's training has ended."""
        return state

    def start(self, problem: Problem) -> State:
        outer = choose_supernet(problem)
        return State(problem, outer, find_outer(problem, outer))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        training = state.training
        if not training.ended:
            return Wait() if pending else self._train(state)
        if training.row is None:
            return Stop(training.failure)
        child = None
        if len(state.scored) + len(pending) < self.children:
            child = self.choose_child(state, pending, rng)
        if child is not None:
            return Evaluate(child, weights=Shared(training.row))
        return Wait() if pending else Stop(f"{len(state.scored)} children are scored")

    def learn(self, state: State, trial: Trial) -> State:
        if trial.kind == "supernet":
            training = self._schedule(state).learn(state.training, trial)
            state = replace(state, training=training)
            return self.look_back(state) if training.ended else state
        met = state.met | {name_function(state.problem.space, trial.architecture)}
        return self.look_back(replace(state, scored=(*state.scored, trial), met=met))

    def keeps(self, state: State) -> list[int]:
        """The supernet."""
        return [] if state.training.row is None else [state.training.row]

    def _schedule(self, state: State) -> Schedule:
        return Schedule(state.problem.fidelity.epochs, self.chunks)

    def _train(self, state: State) -> TrainSupernet:
        """The next part of the supernet's training."""
        fidelity = state.problem.fidelity
        return self._schedule(state).propose(state.training, state.outer, self.method, fidelity)


def find_known(state: State, pending: Sequence[Trial]) -> frozenset[str]:
    """The names of the functions of all children, learned or pending."""
    return state.met | {name_function(state.problem.space, trial.architecture) for trial in pending}


def draw_new_child(state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Architecture | None:
    """A random child that is neither learned nor pending."""
    space = state.problem.space
    return find_new(space, lambda: draw_child(space, state.fixed, rng), find_known(state, pending))
