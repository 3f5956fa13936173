"""LEMONADE: Elsken, Metzen & Hutter, "Efficient Multi-Objective Neural Architecture Search via Lamarckian
Evolution" (ICLR 2019, arXiv 1804.09081), Algorithm 1.

The population is the front over all objectives. Parents are drawn where the front is thin by its cheap
objectives, and have children by network morphisms and by approximate ones, which shrink. All children are
measured cheaply; those that lie where the front is thin are accepted, and only these are trained, from the
weights of their parents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Done, Trial
from cambrian.problem import Problem
from cambrian.recommendation import front_numbers
from cambrian.settings import POSITIVE, Span
from cambrian.spaces.knowledge import Morphs
from cambrian.strategies.evolution.tournament import trivial
from cambrian.strategies.morphing.children import apply_morphs, draw_child, morphs_of, row_of
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Wait
from cambrian.weights import MORPHISM, Fresh, Inherit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space

CHEAP, TRAINED = "cheap", "trained"
"""The phases of a generation, in the memory of their trials."""
MEASURE = "params"
"""The estimator of the cheap phase, which measures every objective that takes no training."""
TRIES = 100
"""Draws in a row that are known already, after which one is measured again."""

Vector = tuple[float, ...]
Vectors = Sequence[Vector]


@dataclass(frozen=True)
class Candidate:
    """A network with its cheap objectives, on a scale of powers of ten. `row` has its weights, or those of
    its parent before it is trained (None: it begins with random ones); `scores` are all its objectives,
    higher being better."""

    architecture: Architecture
    cheap: Vector
    row: int | None = None
    scores: Vector = ()


@dataclass(frozen=True)
class State:
    """`population` is the front. Of the present `generation`, `measured` are the candidates with their cheap
    objectives, None for one without, by their place; `accepted` those to be trained, and `trained` how many
    are."""

    problem: Problem
    population: tuple[Candidate, ...] = ()
    generation: int = 0
    measured: tuple[Candidate | None, ...] = ()
    accepted: tuple[Candidate, ...] = ()
    trained: int = 0
    offspring: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class LEMONADE:
    """`children` are generated and measured cheaply in each generation, of which `accept` are trained.
    `initial` networks begin, the smallest of the space and some with a few morphisms more. `bandwidth` is
    that of the density, in powers of ten.

    Cheap are the objectives besides the first that an untrained network has, such as params and macs; where
    there is none, the number of weights. Every cheap measurement is a row of the run."""

    children: Annotated[int, Span(1, 10_000)] = 12
    accept: Annotated[int, Span(1, 10_000)] = 4
    initial: Annotated[int, Span(1, 1000)] = 4
    bandwidth: Annotated[float, POSITIVE] = 0.3
    needs: ClassVar[tuple[type, ...]] = (Morphs,)
    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)
    estimators: ClassVar[dict[str, str]] = {MEASURE: MEASURE}
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)

    @staticmethod
    def paper() -> LEMONADE:
        """200 children generated and 100 accepted in each generation (Sec. 5.1)."""
        return LEMONADE(children=200, accept=100)

    def start(self, problem: Problem) -> State:
        return State(problem)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        current = [t for t in pending if t.memory.get("generation") == state.generation]
        if not state.accepted:
            wanted = self.children if state.population else self.initial
            if len(state.measured) + len(current) >= wanted:
                return Wait()
            return self._generate(state, current, rng)
        if state.trained + len(current) >= len(state.accepted):
            return Wait()
        return self._train(state, state.accepted[state.trained + len(current)])

    def learn(self, state: State, trial: Trial) -> State:
        if trial.memory.get("generation") != state.generation:
            return state
        if trial.memory["phase"] == CHEAP:
            state = replace(state, measured=(*state.measured, self._read_cheap(state, trial)))
            wanted = self.children if state.population else self.initial
            return self._accept(state) if len(state.measured) == wanted else state
        trained = self._read_trained(state, trial)
        offspring = (*state.offspring, *([trained] if trained else []))
        state = replace(state, trained=state.trained + 1, offspring=offspring)
        return self._end_generation(state) if state.trained == len(state.accepted) else state

    def keeps(self, state: State) -> list[int]:
        """The rows that children may begin with."""
        candidates = (*state.population, *state.accepted, *state.offspring)
        return sorted({c.row for c in candidates if c.row is not None})

    def _generate(self, state: State, current: Sequence[Trial], rng: np.random.Generator) -> Evaluate:
        """A new network, to be measured cheaply."""
        memory = {"phase": CHEAP, "generation": state.generation}
        if not state.population:
            return Evaluate(self._draw_first(state, current, rng), estimator=MEASURE, memory=memory)
        taken = _list_taken(state, current)
        chances = invert_density([c.cheap for c in state.population], self.bandwidth)
        parent = state.population[int(rng.choice(len(state.population), p=chances))]
        morphing = morphs_of(state.problem.space)
        kinds = (*morphing.morphs, *morphing.shrinks)
        drawn = draw_child(morphing, kinds, parent.architecture, 1, taken, rng)
        # Where the parent's children are all known, a random network takes its place.
        child, applied = drawn or (_draw_new(state.problem.space, taken, rng), [])
        return Evaluate(
            child,
            parent=parent.row,
            estimator=MEASURE,
            reason={"morphisms": applied},
            memory={**memory, "parent": parent.row if applied else None},
        )

    def _draw_first(self, state: State, current: Sequence[Trial], rng: np.random.Generator) -> Architecture:
        """The smallest network after as many morphisms as its place says; a random one where all failed."""
        place, space = len(state.measured) + len(current), state.problem.space
        taken = _list_taken(state, current)
        if state.generation:
            return _draw_new(space, taken, rng)
        morphing = morphs_of(space)
        first = trivial(space, state.problem.seed)
        child = apply_morphs(morphing, morphing.morphs, first, place, rng)[0]
        return _draw_new(space, taken, rng) if child in taken else child

    def _read_cheap(self, state: State, trial: Trial) -> Candidate | None:
        """The candidate that was measured; None where it could not be, as one over a limit."""
        if not isinstance(trial.outcome, Done) or trial.value is None:
            return None
        names = [o.name for o in state.problem.objectives[1:]]
        values = [trial.outcome.metrics[n] for n in names if n in trial.outcome.metrics]
        cheap = tuple(math.log10(max(abs(v), 1e-9)) for v in values or [trial.value])
        return Candidate(trial.architecture, cheap, trial.memory.get("parent"))

    def _accept(self, state: State) -> State:
        """The state when the children to be trained are drawn; with none to draw from, a new generation."""
        candidates = [c for c in state.measured if c is not None]
        if not candidates:
            return State(state.problem, state.population, state.generation + 1)
        if not state.population:
            return replace(state, accepted=tuple(candidates))
        rng = np.random.default_rng([state.problem.seed, state.generation])
        front = [c.cheap for c in state.population]
        chances = invert_density(front, self.bandwidth, [c.cheap for c in candidates])
        count = min(self.accept, len(candidates))
        drawn = rng.choice(len(candidates), count, replace=False, p=chances)
        return replace(state, accepted=tuple(candidates[int(i)] for i in drawn))

    def _train(self, state: State, child: Candidate) -> Evaluate:
        weights = Fresh() if child.row is None else Inherit(child.row, MORPHISM)
        place = next(i for i, c in enumerate(state.accepted) if c is child)
        memory = {"phase": TRAINED, "generation": state.generation, "place": place}
        reason = {"generation": state.generation}
        return Evaluate(child.architecture, parent=child.row, weights=weights, reason=reason, memory=memory)

    def _read_trained(self, state: State, trial: Trial) -> Candidate | None:
        if trial.value is None or not isinstance(trial.outcome, Done):
            return None
        child = state.accepted[int(trial.memory["place"])]
        scores = trial.scores(state.problem.objectives)
        if len(scores) == 1:
            scores = (*scores, *(-c for c in child.cheap))
        return replace(child, row=row_of(trial), scores=scores)

    def _end_generation(self, state: State) -> State:
        """The front of parents and children."""
        everyone = (*state.population, *state.offspring)
        ranks = front_numbers([c.scores for c in everyone])
        front = tuple(c for c, rank in zip(everyone, ranks, strict=True) if rank == min(ranks))
        return State(state.problem, front, state.generation + 1)


def _list_taken(state: State, current: Sequence[Trial]) -> set[Architecture]:
    """The architectures of the population and of this generation."""
    known = [c for c in (*state.population, *state.measured) if c is not None]
    return {c.architecture for c in known} | {t.architecture for t in current}


def _draw_new(space: Space, taken: set[Architecture], rng: np.random.Generator) -> Architecture:
    """A random architecture that is not taken, if one is found in TRIES."""
    for _ in range(TRIES):
        drawn = sample(space, rng)
        if drawn not in taken:
            break
    return drawn


def invert_density(front: Vectors, bandwidth: float, points: Vectors = ()) -> NDArray[np.float64]:
    """Probabilities of `points`, by default those of the front, in inverse proportion to the density of the
    front there.

    >>> invert_density([(4.0,), (4.1,), (4.2,), (6.0,)], 0.3).round(4).tolist()
    [0.1755, 0.1667, 0.1755, 0.4822]
    """
    density = estimate_density(front, bandwidth, points or front)
    # In places without any density all are equally wanted.
    inverse = 1.0 / np.maximum(density, 1e-12)
    return np.asarray(inverse / inverse.sum())


def estimate_density(front: Vectors, bandwidth: float, points: Vectors) -> NDArray[np.float64]:
    """The density of the front at `points`, by Gaussian kernels.

    >>> estimate_density([(4.0,), (4.1,), (4.2,), (6.0,)], 0.3, [(4.0,), (6.0,)]).round(4).tolist()
    [0.9131, 0.3325]
    """
    known, at = np.asarray(front, float), np.asarray(points, float)
    distances = ((at[:, None] - known[None]) ** 2).sum(-1)
    norm = (bandwidth * math.sqrt(2 * math.pi)) ** known.shape[1]
    return np.asarray(np.exp(-distances / (2 * bandwidth**2)).mean(1) / norm)
