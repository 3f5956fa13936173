"""Hill climbing with random restarts: the local search of White et al., "Exploring the Loss Landscape in
Neural Architecture Search" (UAI 2021), Algorithm 1; first improvement as in Den Ottelander et al., "Local
Search is a Remarkably Strong Baseline for Neural Architecture Search" (EMO 2021).

From a random start, measure the neighbours (one answer changed) in random order, move to a better one, and
repeat until none is better; then start again. No architecture is measured twice.
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
from cambrian.spaces.knowledge import name_function
from cambrian.strategies.evolution.population import Member
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

IMPROVEMENTS = ("first", "best")
DRAWS = 1000  # random starts drawn in a row before the space counts as exhausted


@dataclass(frozen=True)
class State:
    """`here` is the best member of the current climb, None before its start is learned. `around` are its
    neighbours in the order of their measurement. Both mappings have functions as keys: architectures that
    the space knows to be the same function share one. `climbed` are the functions that were `here` once;
    `climbs` counts the starts."""

    space: Space
    seed: int
    known: Mapping[Hashable, Member]
    here: Member | None = None
    around: Mapping[Hashable, Architecture] = field(default_factory=dict)
    climbed: frozenset[Hashable] = frozenset()
    climbs: int = 0


@dataclass(frozen=True)
class HillClimbing:
    """`improvement` is "first" (move to the first better neighbour) or "best" (measure all neighbours,
    then move to the best). `cap` bounds the neighbours if one answer opens further questions.

    With several pending trials, neighbours are measured at the same time; a climb ends when all of them are
    learned. Several starts that are pending at once count as one: the best of them."""

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
        taken = state.known.keys() | {name_function(state.space, t.architecture) for t in pending}
        if state.here is not None:
            for function, near in state.around.items():
                if function not in taken:
                    return Evaluate(near, parent=state.here.number, reason={"climb": state.climbs})
            return Wait()
        for _ in range(DRAWS):
            drawn = sample(state.space, rng)
            if name_function(state.space, drawn) not in taken:
                return Evaluate(drawn, reason={"climb": state.climbs + 1})
        return Wait() if pending else Stop(f"{DRAWS} random starts in a row are known")

    def learn(self, state: State, trial: Trial) -> State:
        member, function = Member.of(trial), name_function(state.space, trial.architecture)
        state = replace(state, known={**state.known, function: member})
        if state.here is None and member.value > -math.inf:
            state = self._move_to(replace(state, climbs=state.climbs + 1), member)
        elif state.here is not None and function not in state.around and member.value > state.here.value:
            # A better start of several, or a neighbour of an earlier place that was still pending.
            state = self._move_to(state, member)
        return self._settle(state)

    def _settle(self, state: State) -> State:
        """The state after all moves that the known values allow. `here` is None at a local optimum, and where
        an earlier climb has passed, since its end is known."""
        # Every move raises the value of `here`, so that the loop ends.
        while state.here is not None:
            known = [state.known[f] for f in state.around if f in state.known]
            whole = len(known) == len(state.around)
            best = max(known, key=lambda m: m.value, default=state.here)
            if best.value > state.here.value and (whole or self.improvement == "first"):
                state = self._move_to(state, best)
            elif whole:
                return replace(state, here=None, around={})
            else:
                break
        return state

    def _move_to(self, state: State, here: Member) -> State:
        place = name_function(state.space, here.architecture)
        if place in state.climbed:  # from here on this climb would repeat the earlier one
            return replace(state, here=None, around={})
        rng = stream(state.seed, "hill-climbing", here.number)
        near = neighbours(state.space, here.architecture, rng, self.cap)
        around: dict[Hashable, Architecture] = {}
        for i in rng.permutation(len(near)).tolist():
            around.setdefault(name_function(state.space, near[i]), near[i])
        around.pop(place, None)  # a neighbour by its answers may be the same function
        return replace(state, here=here, around=around, climbed=state.climbed | {place})
