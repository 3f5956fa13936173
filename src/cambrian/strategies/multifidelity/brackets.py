"""Brackets of successive halving, rung by rung: the part that successive halving, Hyperband and BOHB share.

A bracket measures some architectures at a low level of the ladder, the best of them at the next, and so on. A
rung begins when the one before it is complete, so that whom it promotes does not depend on the number of
workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.strategies.multifidelity.ladder import EPOCHS, Level
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait
from cambrian.weights import FRESH, Continue, Fresh

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

PATIENCE = 20
"""Draws for an architecture that has not been measured: a small space may have none left."""
Draw = Callable[[], Architecture]


class Entry(msgspec.Struct, frozen=True):
    """A measured architecture: the row of its trial, and its score there; None for one that failed."""

    row: int
    architecture: Architecture
    score: float | None


@dataclass(frozen=True)
class Bracket:
    """The number of architectures at each of its levels, which are indices into the ladder, ascending."""

    levels: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class State:
    """`rung` of the bracket `number` (both from 0) is being measured: `entrants` are those admitted to it,
    empty in a first rung, whose architectures are drawn; `scored` are its entries by their places. `best` are
    the entries of the highest level so far, by level."""

    problem: Problem
    ladder: tuple[Level, ...]
    number: int = 0
    rung: int = 0
    entrants: tuple[Entry, ...] = ()
    scored: Mapping[int, Entry] = field(default_factory=dict)
    best: Mapping[int, tuple[Entry, ...]] = field(default_factory=dict)
    met: frozenset[str] = frozenset()
    """Keys of the architectures that were measured."""


def propose_next(
    state: State, bracket: Bracket, pending: Sequence[Trial], draw: Draw, axes: Sequence[str]
) -> Proposal:
    """The next place of the rung, or Wait for those under way. `draw` makes an architecture for a first
    rung."""
    begun = {trial.memory["place"] for trial in pending} | state.scored.keys()
    count = len(state.entrants) if state.rung else bracket.counts[0]
    place = next((place for place in range(count) if place not in begun), None)
    if place is None:
        return Wait()
    level = state.ladder[bracket.levels[state.rung]]
    facts = {"bracket": state.number, "rung": state.rung, "place": place}
    reason = {"bracket": state.number + 1, "rung": state.rung + 1}
    if not state.rung:
        return Evaluate(draw(), level.fidelity, reason=reason, memory=facts)
    entry = state.entrants[place]
    return promote(entry, level, axes, reason, facts)


def promote(
    entry: Entry,
    level: Level,
    axes: Sequence[str],
    reason: Mapping[str, object],
    memory: Mapping[str, object],
) -> Evaluate:
    """The request for an entry's next level. Where levels differ in epochs alone, its training goes on."""
    weights = Continue(entry.row) if tuple(axes) == EPOCHS else FRESH
    return Evaluate(
        entry.architecture,
        level.fidelity,
        parent=entry.row,
        weights=weights,
        reason=dict(reason),
        memory=dict(memory),
    )


def list_requests(axes: Sequence[str]) -> tuple[type, ...]:
    """The kinds of requests of a strategy that promotes along these axes."""
    return (Evaluate, Fresh, Continue) if tuple(axes) == EPOCHS else (Evaluate, Fresh)


def learn_entry(state: State, bracket: Bracket, trial: Trial) -> State:
    """The state with one place of its rung learned; with the last one, the next rung or bracket begins."""
    entry = Entry(trial.number, trial.architecture, trial.score)
    level = bracket.levels[state.rung]
    state = replace(
        state,
        scored={**state.scored, trial.memory["place"]: entry},
        met=state.met | {trial.architecture.key},
        best=add_best(state.best, level, entry),
    )
    count = len(state.entrants) if state.rung else bracket.counts[0]
    return _end_rung(state, bracket) if len(state.scored) == count else state


def _end_rung(state: State, bracket: Bracket) -> State:
    entered = state.rung + 1
    if entered < len(bracket.levels):
        admitted = rank_entries(state.scored.values())[: bracket.counts[entered]]
        if admitted:
            return replace(state, rung=entered, entrants=tuple(admitted), scored={})
    return replace(state, number=state.number + 1, rung=0, entrants=(), scored={})


def rank_entries(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with a score, best first, earlier ones first among equals, each architecture once."""
    scored = [(-entry.score, entry.row, entry) for entry in entries if entry.score is not None]
    first: dict[str, Entry] = {}
    for _, _, entry in sorted(scored, key=lambda each: each[:2]):
        first.setdefault(entry.architecture.key, entry)
    return list(first.values())


RECOMMENDED = 30
"""Entries of each level that are kept for the recommendation."""


def add_best(
    best: Mapping[int, tuple[Entry, ...]], level: int, entry: Entry
) -> Mapping[int, tuple[Entry, ...]]:
    """The best entries by level with one more."""
    return {**best, level: tuple(rank_entries([*best.get(level, ()), entry])[:RECOMMENDED])}


def recommend_best(best: Mapping[int, tuple[Entry, ...]]) -> list[Architecture]:
    """The architectures by the highest level that they were measured at, and by their scores there: scores
    of different levels cannot be compared."""
    ordered = [entry.architecture for level in sorted(best, reverse=True) for entry in best[level]]
    return list(dict.fromkeys(ordered))


def draw_new(
    space: Space, met: frozenset[str], pending: Sequence[Trial], rng: np.random.Generator
) -> Architecture:
    """A random architecture that is neither measured nor pending, as far as some draws find one."""
    taken = met | {trial.architecture.key for trial in pending}
    for _ in range(PATIENCE):
        architecture = sample(space, rng)
        if architecture.key not in taken:
            break
    return architecture


def list_rows(state: State) -> list[int]:
    """The rows whose trainings may still go on, and the best of the highest level."""
    entries = [*state.entrants, *state.scored.values()]
    top = state.best.get(max(state.best, default=0), ())[:1]
    return sorted({entry.row for entry in (*entries, *top)})


def end_after(state: State, passes: int | None, brackets: int) -> Stop | None:
    """Stop where all brackets of so many passes are complete."""
    if passes is not None and state.number >= passes * brackets:
        return Stop("all brackets are complete")
    return None
