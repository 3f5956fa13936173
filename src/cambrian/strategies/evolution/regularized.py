"""Regularized evolution: Real et al., "Regularized Evolution for Image Classifier Architecture Search"
(AAAI 2019), Algorithm 1.

Start with P random architectures; then repeat: draw S of them, mutate the best, add the child, and remove
the oldest, however good it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from cambrian.architecture import crossover, sample
from cambrian.errors import SpaceError, UsageError
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.evolution.population import Member, mutate_or_draw, tournament
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class State:
    """`population` is ordered by age, the oldest first; `born` counts all members that ever lived. `size` is
    the paper's P, `sample` its S."""

    space: Space
    size: int
    sample: int
    population: tuple[Member, ...] = ()
    born: int = 0


POPULATION = 50
FEWEST = 3
"""A sample of one selects nothing, and the child of one of two random members is worse than a third random
one. NATS-Bench has S = 3 for P = 10 (Dong et al., IEEE TPAMI 2021)."""


@dataclass(frozen=True)
class Evolution:
    """`population` is the paper's P, `sample` its S. If they are None, P is 50, or a third of the run's
    trials if that is less, and S is a fifth of P, both at least 3. With probability `identity` a child is its
    parent, measured again; with probability `crossover` (not in the paper) it takes each answer from one of
    the two best of the sample; otherwise it is a mutation of the best.

    With several pending trials nothing waits: parents are drawn from the members that are learned."""

    population: Annotated[int | None, Span(1)] = None
    sample: Annotated[int | None, Span(1)] = None
    identity: float = 0.0
    crossover: float = 0.0
    needs: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        check_settings(self)
        size, sample = self._sizes(None)
        if not 1 <= sample <= size:
            raise UsageError(
                # A setting's own span cannot say this: S is bounded by P.
                f"strategy 'evolution': sample must be between 1 and the population of {size}, got {sample}"
            )
        if not (self.identity >= 0 and self.crossover >= 0 and self.identity + self.crossover <= 1):
            raise UsageError(
                "strategy 'evolution': identity and crossover are probabilities of a sum up to 1, got "
                f"{self.identity} and {self.crossover}"
            )

    @staticmethod
    def paper() -> Evolution:
        """P = 100, S = 25 (Sec. 4, for 20,000 models), and one mutation in twenty the identity."""
        return Evolution(population=100, sample=25, identity=0.05)

    def _sizes(self, trials: int | None) -> tuple[int, int]:
        """P and S. Two thirds of the trials are left to evolution, which P = 50 would not do in a run of
        fewer than 150."""
        size = self.population
        if size is None:
            third = POPULATION if trials is None else min(POPULATION, trials // 3)
            size = max(FEWEST, third, self.sample or 1)
        return size, min(size, max(FEWEST, -(-size // 5))) if self.sample is None else self.sample

    def start(self, problem: Problem) -> State:
        return State(problem.space, *self._sizes(problem.trials))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if state.born + len(pending) < state.size or not state.population:
            return Evaluate(sample(state.space, rng))
        best, *others = tournament(state.population, state.sample, rng)
        kind = rng.random()
        if kind < self.identity:
            again = state.born + len(pending)  # unique: the number of this proposal
            return Evaluate(best.architecture, parent=best.number, replicate=again)
        child = best.architecture
        if kind < self.identity + self.crossover and others:
            with suppress(SpaceError):  # if no crossover is accepted, the child is a mutation
                child = crossover(state.space, child, others[0].architecture, rng)
        # A crossover of equal parents changes nothing: it is mutated, so that no trial is wasted.
        if child == best.architecture:
            child = mutate_or_draw(state.space, child, rng)
        return Evaluate(child, parent=best.number)

    def learn(self, state: State, trial: Trial) -> State:
        # Ageing, the paper's point: the oldest dies, not the worst, so that luck in one measurement fades.
        alive = (*state.population, Member.of(trial))[-state.size :]
        return replace(state, population=alive, born=state.born + 1)
