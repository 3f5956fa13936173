"""Rungs that fill as outcomes arrive: the part that the asynchronous strategies share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.strategies.multifidelity.brackets import Entry, rank_entries
from cambrian.strategies.multifidelity.ladder import Level

Rung = tuple[Entry, ...]


@dataclass(frozen=True)
class State:
    """`rungs[k]` are the entries measured at `ladder[k]`, in the order in which they arrived. `gone` are the
    rows that were promoted. `top` is the highest rung to which anything is promoted. `going` are the rows
    that the stopping form continues, each with its level, in the order of their decisions."""

    problem: Problem
    ladder: tuple[Level, ...]
    rungs: tuple[Rung, ...]
    top: int
    gone: frozenset[int] = frozenset()
    going: tuple[tuple[int, Entry], ...] = ()
    met: frozenset[str] = frozenset()
    """Keys of the architectures that were measured."""


def start_rungs(problem: Problem, ladder: tuple[Level, ...], top: int | None = None) -> State:
    highest = len(ladder) - 1
    return State(problem, ladder, ((),) * len(ladder), highest if top is None else min(top, highest))


def add_entry(state: State, trial: Trial) -> State:
    """The state with the trial in its rung, and the row that it was promoted from gone."""
    level = int(trial.memory["level"])
    entry = Entry(trial.number, trial.architecture, trial.score)
    rungs = tuple((*rung, entry) if k == level else rung for k, rung in enumerate(state.rungs))
    gone = state.gone if trial.parent is None else state.gone | {trial.parent}
    return replace(state, rungs=rungs, gone=gone, met=state.met | {trial.architecture.key})


def find_promotable(state: State, pending: Sequence[Trial], eta: int) -> tuple[int, Entry] | None:
    """The best entry that is among the best 1/eta of its rung and has not been promoted, of the highest rung
    that has one, with its level."""
    # An outcome that is not known yet is in no rung: only finished trials are promoted.
    gone = state.gone | {trial.parent for trial in pending if trial.parent is not None}
    for level in reversed(range(state.top)):
        rung, cut = state.rungs[level], count_cut(state, level, eta)
        taken = {entry.architecture.key for entry in rung if entry.row in gone}
        for entry in rank_entries(rung)[: len(rung) // cut]:
            if entry.architecture.key not in taken:
                return level, entry
    return None


def count_cut(state: State, level: int, eta: int) -> int:
    """One of so many entries of the level goes on: more than eta where a table lacks the next one."""
    return int(eta ** (state.ladder[level].depth - state.ladder[level + 1].depth))


def count_begun(state: State, pending: Sequence[Trial]) -> int:
    """The architectures that were drawn so far."""
    return len(state.rungs[0]) + sum(1 for trial in pending if trial.memory["level"] == 0)
