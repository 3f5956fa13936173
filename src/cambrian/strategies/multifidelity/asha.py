"""ASHA: Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht & Talwalkar, "A System for Massively
Parallel Hyperparameter Tuning" (MLSys 2020), Algorithm 2: successive halving that does not wait for a rung to
be complete.

Its stopping form is that of Ray Tune and Syne Tune: whoever arrives at a rung goes on at once unless it is
worse than the best 1/eta of those that came before, and is never taken up again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.multifidelity.brackets import (
    RECOMMENDED,
    Draw,
    Entry,
    draw_new,
    promote,
    rank_entries,
)
from cambrian.strategies.multifidelity.climbing import Climbing
from cambrian.strategies.multifidelity.rungs import (
    State,
    add_entry,
    count_begun,
    count_cut,
    find_promotable,
    start_rungs,
)
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait

if TYPE_CHECKING:
    import numpy as np

FORMS = ("promotion", "stopping")


@dataclass(frozen=True)
class ASHA(Climbing):
    """A free worker promotes the best of a rung's best 1/`eta` that has not been promoted, from the highest
    rung down, or else begins a new architecture. `form` is "promotion" or "stopping". Levels are along `axes`
    of the fidelity, each down to its `least`. With `size` it begins so many architectures and ends when none
    of them is to go on (None: it ends with the budget)."""

    form: str = "promotion"
    size: Annotated[int | None, Span(1)] = None
    order: ClassVar[str] = "arrival"
    names: ClassVar[Mapping[str, tuple[str, Collection[str]]]] = {"form": ("form of ASHA", FORMS)}

    @staticmethod
    def paper() -> ASHA:
        """The paper's settings (Sec. 4.1 and 4.2): a reduction factor of 4."""
        return ASHA(eta=4)

    def start(self, problem: Problem) -> State:
        return start_rungs(problem, self.make_ladder(problem))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        return self.propose_by(
            state, pending, partial(draw_new, state.problem.space, state.met, pending, rng)
        )

    def propose_by(self, state: State, pending: Sequence[Trial], draw: Draw) -> Proposal:
        """The promotion that is due, or else the architecture that `draw` makes, at the lowest level."""
        if self.form == "stopping":
            begun = {trial.parent for trial in pending}
            promoted = next((each for each in state.going if each[1].row not in begun), None)
        else:
            promoted = find_promotable(state, pending, self.eta)
        return propose_rung(
            state, promoted, pending, draw, self.axes, self.size, final=self.form == "stopping"
        )

    def learn(self, state: State, trial: Trial) -> State:
        state = add_entry(state, trial)
        return self._decide(state, trial) if self.form == "stopping" else state

    def recommend(self, state: State) -> list[Architecture]:
        return recommend_rungs(state)

    def keeps(self, state: State) -> list[int]:
        return list_waiting(state) if self.form == "promotion" else [e.row for _, e in state.going]

    def _decide(self, state: State, trial: Trial) -> State:
        """The state in which the trial goes on, or is stopped."""
        level = int(trial.memory["level"])
        going = tuple(each for each in state.going if each[1].row != trial.parent)
        if level < state.top and self._is_good(state, level, trial):
            going = (*going, (level, Entry(trial.number, trial.architecture, trial.score)))
        return replace(state, going=going)

    def _is_good(self, state: State, level: int, trial: Trial) -> bool:
        """Whether at most 1/eta of the rung, itself included, is strictly better; the first always is."""
        if trial.score is None:
            return False
        scores = [entry.score for entry in state.rungs[level] if entry.score is not None]
        better = sum(score > trial.score for score in scores)
        return better * count_cut(state, level, self.eta) <= len(scores)


def propose_rung(
    state: State,
    promoted: tuple[int, Entry] | None,
    pending: Sequence[Trial],
    draw: Draw,
    axes: Sequence[str],
    size: int | None,
    *,
    final: bool = False,
) -> Proposal:
    """The promotion of an entry from its level, or the architecture that `draw` makes, at the lowest one,
    while there are less than `size`. Where `draw` finds no new one, the best of those that wait is promoted
    instead, unless it is `final` that they stopped."""
    if promoted is None:
        if size is not None and count_begun(state, pending) >= size:
            return Wait() if pending else Stop("no architecture is to go on")
        drawn = draw()
        # A space of few architectures fills no rung of which one in eta could go on, and below a ceiling the
        # rest of the budget would be spent on repeats.
        if drawn.key in state.met and not final:
            promoted = find_promotable(replace(state, top=len(state.ladder) - 1), pending, 1)
        if promoted is None:
            return Evaluate(drawn, state.ladder[0].fidelity, reason={"rung": 1}, memory={"level": 0})
    level, entry = promoted
    above = level + 1
    return promote(entry, state.ladder[above], axes, {"rung": above + 1}, {"level": above})


def recommend_rungs(state: State) -> list[Architecture]:
    """The architectures by the highest rung that they have reached, and by their scores there."""
    ranked = [entry for rung in reversed(state.rungs) for entry in rank_entries(rung)[:RECOMMENDED]]
    return list(dict.fromkeys(entry.architecture for entry in ranked))


def list_waiting(state: State) -> list[int]:
    """The rows that may still be promoted, and the best of the highest rung."""
    rows = [entry.row for rung in state.rungs[:-1] for entry in rank_entries(rung)]
    best = [entry.row for entry in rank_entries(state.rungs[-1])[:1]]
    return sorted({*rows, *best} - state.gone)
