"""Hill climbing with random restarts: the local search of White et al., "Exploring the Loss Landscape in
Neural Architecture Search" (UAI 2021), Algorithm 1; first improvement as in Den Ottelander et al., "Local
Search is a Remarkably Strong Baseline for Neural Architecture Search" (EMO 2021).

From a random start, measure the neighbours (one answer changed) in random order, move to a better one,
and so on until none is; then start again. What is known is never measured twice.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from cambrian.architecture import Architecture, sample
from cambrian.errors import UsageError
from cambrian.neighbourhood import neighbours
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import Span
from cambrian.spaces.knowledge import Canonical, know
from cambrian.strategies.evolution.population import Member
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

IMPROVEMENTS = ("first", "best")
DRAWS = 1000  # random starts drawn before the space counts as known


@dataclass(frozen=True)
class State:
    """`here` is the best of the present climb, None before its start is known. `around` are its
    neighbours in the order they are measured. Both mappings are by function: architectures that the
    space knows to be the same are one. `climbed` are those that were `here` once; `climbs` counts the
    starts."""

    space: Space
    seed: int
    known: Mapping[Hashable, Member]
    here: Member | None = None
    around: Mapping[Hashable, Architecture] = field(default_factory=dict)
    climbed: frozenset[Hashable] = frozenset()
    climbs: int = 0


@dataclass(frozen=True)
class HillClimbing:
    """`improvement` is "first" (move to the first better neighbour) or "best" (measure all of them,
    then move to the best). `cap` bounds the neighbours where one answer opens further questions.

    With several trials under way neighbours are measured at the same time; a climb ends when all of them
    are known. Several starts drawn at once are one start: the best of them."""

    improvement: str = "first"
    cap: Annotated[int, Span(1, 10_000)] = 64
    needs: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        if self.improvement not in IMPROVEMENTS:
            raise UsageError(
                f"strategy 'hill-climbing': improvement is 'first' or 'best', got {self.improvement!r}"
            )
        check_settings(self)

    def start(self, problem: Problem) -> State:
        return State(problem.space, problem.seed, {})

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        taken = state.known.keys() | {_function(state.space, t.architecture) for t in pending}
        if state.here is not None:
            for function, near in state.around.items():
                if function not in taken:
                    return Evaluate(near, parent=state.here.number, reason={"climb": state.climbs})
            return Wait()
        for _ in range(DRAWS):
            drawn = sample(state.space, rng)
            if _function(state.space, drawn) not in taken:
                return Evaluate(drawn, reason={"climb": state.climbs + 1})
        return Wait() if pending else Stop(f"{DRAWS} random starts in a row are known")

    def learn(self, state: State, trial: Trial) -> State:
        found, function = Member.of(trial), _function(state.space, trial.architecture)
        state = replace(state, known={**state.known, function: found})
        if state.here is None and found.value > -math.inf:
            state = self._at(replace(state, climbs=state.climbs + 1), found)
        elif state.here is not None and function not in state.around and found.value > state.here.value:
            state = self._at(state, found)  # a better start, or near where the climb was before
        return self._settle(state)

    def _settle(self, state: State) -> State:
        """Moved on for as long as what is known says where to. `here` is None at a local optimum, and
        where an earlier climb has passed, whose end is known."""
        while state.here is not None:
            known = [state.known[f] for f in state.around if f in state.known]
            whole = len(known) == len(state.around)
            best = max(known, key=lambda m: m.value, default=state.here)
            if best.value > state.here.value and (whole or self.improvement == "first"):
                state = self._at(state, best)
            elif whole:
                return replace(state, here=None, around={})
            else:
                break
        return state

    def _at(self, state: State, here: Member) -> State:
        place = _function(state.space, here.architecture)
        if place in state.climbed:
            return replace(state, here=None, around={})
        rng = stream(state.seed, "hill-climbing", here.number)
        found = neighbours(state.space, here.architecture, rng, self.cap)
        around: dict[Hashable, Architecture] = {}
        for i in rng.permutation(len(found)).tolist():
            around.setdefault(_function(state.space, found[i]), found[i])
        around.pop(place, None)
        return replace(state, here=here, around=around, climbed=state.climbed | {place})


def _function(space: Space, architecture: Architecture) -> Hashable:
    names = know(space, Canonical)
    return architecture if names is None else names.canonical(architecture)
