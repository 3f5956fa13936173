"""The search of a one-shot model (Elsken et al. 2019, Sec. 4): a supernet is trained, its children are scored
with its weights, and the best of them are trained alone, which is the final stage's part.

A strategy adds the method by which the supernet is trained, and the choice of the next child.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.outcome import Done, Trial
from cambrian.problem import Problem
from cambrian.settings import POSITIVE, Span
from cambrian.spaces.knowledge import Shares
from cambrian.strategies.one_shot.children import (
    choose_supernet,
    draw_child,
    find_new,
    find_outer,
    name_function,
)
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.weights import Continue, Fresh, Shared

if TYPE_CHECKING:
    import numpy as np

REPLICATES = 3
"""Supernets that are begun, should their trainings fail."""


@dataclass(frozen=True)
class State:
    """`outer` is an architecture with the supernet's outer answers, which are `fixed`. `chunks` of its
    training are learned, the last with weights as row `supernet`; they took `seconds`. `scored` are the
    children learned, and `met` the names of their functions. `plan` is a strategy's own."""

    problem: Problem
    outer: Architecture
    fixed: Mapping[str, Answer]
    chunks: int = 0
    supernet: int | None = None
    seconds: float = 0.0
    failures: int = 0
    trained: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    scored: tuple[Trial, ...] = ()
    met: frozenset[str] = frozenset()
    plan: Any = None


@dataclass(frozen=True)
class SharedSearch(ABC):
    """The supernet is trained for the epochs of the run's fidelity in `chunks`, each of which goes on from
    the one before, where the recipe has a `decay_epochs`: its schedule does then not end with a chunk. No
    chunk is begun that would end after `training_seconds` (None: no bound). Then `children` are scored."""

    chunks: Annotated[int, Span(1, 1000)] = 1
    children: Annotated[int, Span(1, 1_000_000)] = 100
    training_seconds: Annotated[float | None, POSITIVE] = None
    needs: ClassVar[tuple[type, ...]] = (Shares,)
    own_trials: ClassVar[bool] = True
    requests: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Continue, Shared)

    def __post_init__(self) -> None:
        check_settings(self)

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
        if not state.trained:
            return Wait() if pending else self._train(state)
        if state.supernet is None:
            return Stop("the supernet could not be trained")
        child = None
        if len(state.scored) + len(pending) < self.children:
            child = self.choose_child(state, pending, rng)
        if child is not None:
            return Evaluate(child, weights=Shared(state.supernet))
        return Wait() if pending else Stop(f"{len(state.scored)} children are scored")

    def learn(self, state: State, trial: Trial) -> State:
        if trial.kind == "supernet":
            state = self._learn_chunk(state, trial)
            return self.look_back(state) if state.trained else state
        met = state.met | {name_function(state.problem.space, trial.architecture)}
        return self.look_back(replace(state, scored=(*state.scored, trial), met=met))

    def keeps(self, state: State) -> list[int]:
        """The supernet."""
        return [] if state.supernet is None else [state.supernet]

    def _train(self, state: State) -> TrainSupernet:
        """The next chunk of the supernet's training."""
        whole = state.problem.fidelity
        # Rounded up, so that the first chunk of many has an epoch; the last ends with the fidelity's own.
        epochs = -(-whole.epochs * (state.chunks + 1) // self._count_chunks(state))
        return TrainSupernet(
            state.outer,
            self.method,
            msgspec.structs.replace(whole, epochs=epochs),
            Fresh() if state.supernet is None else Continue(state.supernet),
            replicate=state.failures,
            reason={"chunk": state.chunks + 1, "chunks": self._count_chunks(state)},
        )

    def _count_chunks(self, state: State) -> int:
        return min(self.chunks, state.problem.fidelity.epochs)

    def _learn_chunk(self, state: State, trial: Trial) -> State:
        if not isinstance(trial.outcome, Done):
            # A first chunk is tried again with other random numbers; after a later one, the weights that the
            # chunk before it left are those of the search.
            failures = state.failures + 1
            ended = state.supernet is not None or failures == REPLICATES
            return replace(state, failures=failures, trained=ended)
        number = trial.number if trial.cached is None else trial.cached
        last = trial.outcome.seconds
        chunks, seconds = state.chunks + 1, state.seconds + last
        late = self.training_seconds is not None and seconds + last > self.training_seconds
        return replace(
            state,
            chunks=chunks,
            supernet=number,
            seconds=seconds,
            trained=late or chunks >= self._count_chunks(state),
            data=trial.outcome.data,
        )


def find_known(state: State, pending: Sequence[Trial]) -> frozenset[str]:
    """The names of the functions of all children, learned or pending."""
    return state.met | {name_function(state.problem.space, trial.architecture) for trial in pending}


def draw_new_child(state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Architecture | None:
    """A random child that is neither learned nor pending."""
    space = state.problem.space
    return find_new(space, lambda: draw_child(space, state.fixed, rng), find_known(state, pending))
