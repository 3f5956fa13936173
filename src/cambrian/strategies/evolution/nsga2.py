"""NSGA-II: Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II" (IEEE Transactions on
Evolutionary Computation 6(2), 2002).

A generation of N parents has N children; of the 2N the best N are the next parents: front by front, and of
the front that does not fit whole, those in the least crowded places. Parents are chosen by binary
tournaments of the same order. A network over a limit, or one that failed, is below all others (Sec. VI,
constraint domination).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from cambrian.architecture import Architecture, crossover, sample
from cambrian.errors import SpaceError
from cambrian.outcome import Infeasible, Trial
from cambrian.problem import Limit, Problem
from cambrian.recommendation import front_numbers
from cambrian.settings import SHARE, Span
from cambrian.strategies.evolution.population import mutate_or_draw
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Wait

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

POPULATION = 50
TRIES = 100  # draws in a row that are known already, after which one is measured again


@dataclass(frozen=True)
class Individual:
    """A trial in the population. `scores` are its objectives, higher being better; `violation` is the sum of
    the shares by which it is over its limits, infinite if it failed for another reason. `rank` is the number
    of its front, `crowding` the crowding distance there."""

    number: int
    architecture: Architecture
    scores: tuple[float, ...] = ()
    violation: float = 0.0
    rank: int = 0
    crowding: float = 0.0


@dataclass(frozen=True)
class State:
    """`parents` are the N of the last generation (none before the first), `children` those of the current one
    that are learned. `seen` are all architectures that are learned."""

    problem: Problem
    size: int
    parents: tuple[Individual, ...] = ()
    children: tuple[Individual, ...] = ()
    seen: frozenset[Architecture] = frozenset()


@dataclass(frozen=True)
class NSGA2:
    """`population` is the paper's N; None is 50, or a fifteenth of the run's trials if that is less, but at
    least 4. `crossover` is the paper's p_c: with this probability a child takes each answer from one of two
    parents, else it is a copy of the first. `mutation` is p_m: as many of the child's n answers are then
    replaced as n draws with this probability give (None: 1/n). A child that is known already is mutated
    until it is new.

    The paper makes two children of a pair, this strategy one. A generation begins when the last one is
    learned, so that proposals do not depend on the number of workers."""

    population: Annotated[int | None, Span(1)] = None
    crossover: Annotated[float, SHARE] = 0.9
    mutation: Annotated[float | None, SHARE] = None
    needs: ClassVar[tuple[type, ...]] = ()
    random_first: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)

    @staticmethod
    def paper() -> NSGA2:
        """N = 100, p_c = 0.9, p_m = 1/n (Sec. V-B)."""
        return NSGA2(population=100)

    def start(self, problem: Problem) -> State:
        # Few parents and many generations serve a short run best: of 150 trials 10 parents, and not 30.
        usual = POPULATION if problem.trials is None else min(POPULATION, max(4, problem.trials // 15))
        return State(problem, usual if self.population is None else self.population)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if len(state.children) + len(pending) >= state.size:
            return Wait()
        taken = state.seen | {t.architecture for t in pending}
        if not state.parents:
            return Evaluate(_draw_new(state.problem.space, taken, rng))
        one, other = (win_tournament(state.parents, rng) for _ in range(2))
        child = self._breed(state.problem.space, one.architecture, other.architecture, rng)
        for _ in range(TRIES if child in taken else 0):
            child = mutate_or_draw(state.problem.space, child, rng)
            if child not in taken:
                break
        return Evaluate(child, parent=one.number)

    def learn(self, state: State, trial: Trial) -> State:
        children = (*state.children, make_individual(trial, state.problem))
        state = replace(state, children=children, seen=state.seen | {trial.architecture})
        if len(children) < state.size:
            return state
        return replace(state, parents=select_best((*state.parents, *children), state.size), children=())

    def _breed(
        self, space: Space, one: Architecture, other: Architecture, rng: np.random.Generator
    ) -> Architecture:
        child = one
        if rng.random() < self.crossover:
            with suppress(SpaceError):  # without a crossover that the space accepts, the child is a copy
                child = crossover(space, one, other, rng)
        share = 1 / max(len(child), 1) if self.mutation is None else self.mutation
        for _ in range(int(rng.binomial(len(child), share))):
            child = mutate_or_draw(space, child, rng)
        return child


def make_individual(trial: Trial, problem: Problem) -> Individual:
    """The trial with its objectives or, where one of them is not known, with its violation of the limits."""
    scores = () if trial.value is None else trial.scores(problem.objectives)
    if scores and all(map(math.isfinite, scores)):
        return Individual(trial.number, trial.architecture, scores)
    return Individual(trial.number, trial.architecture, violation=sum_violations(trial, problem.limits))


def sum_violations(trial: Trial, limits: Sequence[Limit]) -> float:
    """The sum of the shares by which the trial's measures are over their limits; infinite if it failed for
    another reason."""
    if not isinstance(trial.outcome, Infeasible):
        return math.inf
    known = [(trial.outcome.metrics[x.measure], x.most) for x in limits if x.measure in trial.outcome.metrics]
    over = sum((amount - most) / abs(most or 1.0) for amount, most in known if amount > most)
    return over or math.inf


def select_best(individuals: Sequence[Individual], size: int) -> tuple[Individual, ...]:
    """The first `size` by the crowded-comparison operator (Sec. III-C), with their ranks and distances."""
    ranked = [
        replace(individual, rank=rank, crowding=distance)
        for rank, front in enumerate(sort_fronts(individuals))
        for individual, distance in zip(front, measure_crowding([i.scores for i in front]), strict=True)
    ]
    return tuple(sorted(ranked, key=lambda i: (i.rank, -i.crowding))[:size])


def sort_fronts(individuals: Sequence[Individual]) -> list[list[Individual]]:
    """The fronts by constraint domination, the best first: those within all limits by their objectives, then
    the others by their violation alone."""
    feasible = [i for i in individuals if not i.violation]
    numbers = front_numbers([i.scores for i in feasible])
    fronts: list[list[Individual]] = [[] for _ in range(max(numbers, default=-1) + 1)]
    for individual, number in zip(feasible, numbers, strict=True):
        fronts[number].append(individual)
    amounts = sorted({i.violation for i in individuals if i.violation})
    return fronts + [[i for i in individuals if i.violation == amount] for amount in amounts]


def measure_crowding(vectors: Sequence[tuple[float, ...]]) -> list[float]:
    """The crowding distance of each vector of a front (Sec. III-B): in every objective the gap between its
    neighbours, as a share of the range, summed; infinite at the ends.

    >>> measure_crowding([(1, 9), (2, 7), (4, 4), (7, 2), (9, 1)])
    [inf, 1.0, 1.25, 1.0, inf]
    """
    distances = [0.0] * len(vectors)
    for column in zip(*vectors):
        order = sorted(range(len(column)), key=column.__getitem__)
        distances[order[0]] = distances[order[-1]] = math.inf
        spread = column[order[-1]] - column[order[0]]
        for before, n, after in zip(order, order[1:], order[2:]):
            # Where all are equal the objective tells nothing, and the paper's quotient would be 0/0.
            distances[n] += (column[after] - column[before]) / spread if spread else 0.0
    return distances


def win_tournament(individuals: Sequence[Individual], rng: np.random.Generator) -> Individual:
    """The better of two that are drawn: of the lower rank, then in the less crowded place, else the first."""
    drawn = rng.choice(len(individuals), size=min(2, len(individuals)), replace=False)
    return min((individuals[int(n)] for n in drawn), key=lambda i: (i.rank, -i.crowding))


def _draw_new(space: Space, taken: frozenset[Architecture], rng: np.random.Generator) -> Architecture:
    """A random architecture that is not taken, if one is found in TRIES."""
    for _ in range(TRIES):
        drawn = sample(space, rng)
        if drawn not in taken:
            break
    return drawn
