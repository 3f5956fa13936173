"""Evolution on shared scores: Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform
Sampling" (ECCV 2020), Algorithm 1. The best k of all children so far are the parents of the next generation:
half of it mutations, half of it crossovers, filled up with random ones. No child is scored twice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cambrian.architecture import Architecture, crossover
from cambrian.errors import SpaceError
from cambrian.outcome import Infeasible, Trial
from cambrian.randomness import stream
from cambrian.recommendation import rank_trials
from cambrian.settings import SHARE, Span
from cambrian.strategies.one_shot.children import draw_child, find_new, mutate_child, name_function
from cambrian.strategies.one_shot.shared_search import SharedSearch, State

if TYPE_CHECKING:
    import numpy as np

Maker = Callable[[], Architecture | None]
REFILLS = 10
"""Children tried for each place of the first generation, should most be over a limit."""


@dataclass(frozen=True)
class Generation:
    """`queue` are its children in order; the first of them is child number `first` of the search."""

    queue: tuple[Architecture, ...]
    first: int
    number: int = 0
    refills: int = 0


@dataclass(frozen=True)
class SharedEvolution(SharedSearch):
    """`population` children a generation, the `parents` the best of all so far. A mutation draws each answer
    anew with probability `mutation`. It ends with `children` in all."""

    children: Annotated[int, Span(1, 1_000_000)] = 200
    population: Annotated[int, Span(2, 10_000)] = 20
    parents: Annotated[int, Span(1, 10_000)] = 5
    mutation: Annotated[float, SHARE] = 0.1

    @property
    @abstractmethod
    def method(self) -> dict[str, Any]: ...

    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        # By its place alone: the children of a generation were chosen when the one before it ended, so that
        # they are the same however many are scored at a time.
        generation: Generation = state.plan
        place = len(state.scored) + len(pending) - generation.first
        return generation.queue[place] if place < len(generation.queue) else None

    def look_back(self, state: State) -> State:
        """The next generation, once this one is scored."""
        generation: Generation = state.plan or Generation((), 0)
        if len(state.scored) < generation.first + len(generation.queue):
            return state
        lacking = self._count_lacking(state, generation)
        if lacking:
            refilled = self._make(state, generation.number, generation.refills + 1, lacking)
            return replace(state, plan=refilled)
        return replace(state, plan=self._make(state, generation.number + 1, 0, self.population))

    def _count_lacking(self, state: State, generation: Generation) -> int:
        """The places of this generation whose children were over a limit, while it may be filled up."""
        if not generation.queue or generation.refills >= REFILLS:
            return 0
        scored = state.scored[generation.first :]
        return sum(isinstance(t.outcome, Infeasible) and t.outcome.reason == "limit" for t in scored)

    def _make(self, state: State, number: int, refills: int, size: int) -> Generation:
        rng = stream(state.problem.seed, "generation", number, refills)
        space, queue = state.problem.space, dict[str, Architecture]()
        draw = partial(draw_child, space, state.fixed, rng)
        for make in self._list_makers(state, size, rng) or [draw] * size:
            known = state.met | queue.keys()
            # Where its parents give nothing new, a place is filled with a random child.
            child = find_new(space, make, known) or find_new(space, draw, known)
            if child is not None:
                queue[name_function(space, child)] = child
        return Generation(tuple(queue.values()), len(state.scored), number, refills)

    def _list_makers(self, state: State, size: int, rng: np.random.Generator) -> list[Maker]:
        """A maker for each place: half of them mutate, half of them cross; none without parents."""
        space, best = state.problem.space, self._rank(state)

        def mutate() -> Architecture | None:
            return mutate_child(space, state.fixed, _pick(best, rng), self.mutation, rng)

        def cross() -> Architecture | None:
            with suppress(SpaceError):
                return crossover(space, _pick(best, rng), _pick(best, rng), rng)
            return None

        return [mutate] * (size // 2) + [cross] * (size - size // 2) if best else []

    def _rank(self, state: State) -> list[Architecture]:
        ranked = rank_trials(state.scored, state.problem.objectives)
        return [trial.architecture for trial in ranked[: self.parents]]


def _pick(best: Sequence[Architecture], rng: np.random.Generator) -> Architecture:
    return best[int(rng.integers(len(best)))]
