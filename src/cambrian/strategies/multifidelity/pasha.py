"""PASHA: Bohdal, Balles, Wistuba, Ermis, Archambeau & Zappella, "PASHA: Efficient HPO and NAS with
Progressive Resource Allocation" (ICLR 2023), Algorithm 1: ASHA with a ceiling that rises only while the
order of the best changes from one rung to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Curve, Done, Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.multifidelity.asha import list_waiting, propose_rung, recommend_rungs
from cambrian.strategies.multifidelity.brackets import Entry, draw_new
from cambrian.strategies.multifidelity.climbing import Climbing
from cambrian.strategies.multifidelity.rungs import State, add_entry, find_promotable, start_rungs
from cambrian.strategies.strategy import Proposal

if TYPE_CHECKING:
    from cambrian.outcome import Outcome

PERCENTILE = 90
"""Of the differences of pairs whose order crossed and crossed back: noise (Sec. 4.2)."""
Values = tuple[float, ...]


@dataclass(frozen=True)
class Progress:
    """ASHA's state, the learning curves [epochs] of the entries that reached its ceiling by their rows, and
    the `noise` below which a difference is none."""

    asha: State
    curves: Mapping[int, Values] = field(default_factory=dict)
    noise: float = 0.0


@dataclass(frozen=True)
class PASHA(Climbing):
    """As `ASHA` in promotion form, with a ceiling that begins at rung `first` (counted from 1) and rises by
    one when the entries of the highest rung are ordered otherwise than in the one below, by more than their
    curves' noise."""

    # The paper begins with eta times the least resource, so that there are two rungs to compare.
    first: Annotated[int, Span(2, 100)] = 2
    size: Annotated[int | None, Span(1)] = None
    order: ClassVar[str] = "arrival"

    def start(self, problem: Problem) -> Progress:
        ladder = self.make_ladder(problem)
        return Progress(start_rungs(problem, ladder, self.first - 1))

    def propose(self, state: Progress, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        promoted = find_promotable(state.asha, pending, self.eta)
        draw = partial(draw_new, state.asha.problem.space, state.asha.met, pending, rng)
        return propose_rung(state.asha, promoted, pending, draw, self.axes, self.size)

    def learn(self, state: Progress, trial: Trial) -> Progress:
        asha = add_entry(state.asha, trial)
        state = replace(state, asha=asha)
        if trial.memory["level"] != asha.top or trial.score is None:
            return state
        curve = _read_curve(trial.outcome, state.asha.problem)
        curves = {**state.curves, trial.number: curve} if len(curve) > 1 else state.curves
        state = replace(state, curves=curves, noise=estimate_noise(list(curves.values()), state.noise))
        # The new ceiling has curves of its own: those of shorter trainings cross earlier.
        if asha.top < len(asha.ladder) - 1 and not keeps_order(asha, state.noise):
            return replace(state, asha=replace(asha, top=asha.top + 1), curves={})
        return state

    def recommend(self, state: Progress) -> list[Architecture]:
        return recommend_rungs(state.asha)

    def keeps(self, state: Progress) -> list[int]:
        return list_waiting(state.asha)


def keeps_order(state: State, noise: float) -> bool:
    """Whether the entries of the ceiling are ordered as they were in the rung below: at each place of the
    order above stands an entry that, below, is within `noise` of the one at that place."""
    if not state.top:
        return True
    above = _order({entry.architecture.key: entry for entry in state.rungs[state.top]})
    lower = {e.architecture.key: e for e in state.rungs[state.top - 1] if e.architecture.key in above}
    below = _order(lower)
    scores = {key: lower[key].score or 0.0 for key in below}
    return all(abs(scores[one] - scores[other]) <= noise for one, other in zip(above, below))


def _order(entries: Mapping[str, Entry]) -> list[str]:
    scored = [(-e.score, e.row, key) for key, e in entries.items() if e.score is not None]
    return [key for _, _, key in sorted(scored)]


def estimate_noise(curves: Sequence[Values], before: float) -> float:
    """The 90th percentile of the last differences of pairs of curves whose order crossed and crossed back;
    `before` where no pair did."""
    # Curves of one rung are equally long; a shorter one was cut by a deadline.
    longest = max(map(len, curves), default=0)
    whole = [np.array(curve) for curve in curves if len(curve) == longest]
    differences = [one - other for one, other in combinations(whole, 2)]
    crossing = [abs(float(d[-1])) for d in differences if _crosses_back(d)]
    return float(np.percentile(crossing, PERCENTILE)) if crossing else before


def _crosses_back(difference: np.ndarray) -> bool:
    """Whether the order of two curves changed and changed back again."""
    signs = np.sign(difference)
    return int(np.count_nonzero(np.diff(signs[signs != 0]))) >= 2


def _read_curve(outcome: Outcome | None, problem: Problem) -> Values:
    """The objective after each epoch; empty without a curve that has it. The noise is of differences, so that
    it does not matter which way is better."""
    curve: Curve = outcome.curve if isinstance(outcome, Done) else ()
    named = ("value", problem.objectives[0].name)
    names = [n for n in named if curve and n in curve[-1].metrics]
    return tuple(point.metrics[names[0]] for point in curve) if names else ()
