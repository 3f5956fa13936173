"""What a run recommends, as its ledger has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cambrian.outcome import Trial
from cambrian.problem import Objective
from cambrian.recommendation import find_incumbents, rank_trials

RECOMMENDED = 100
"""Trials whose order a run records at its end."""

Event = tuple[float, str, dict[str, Any]]


def read_recommendation(
    trials: Sequence[Trial], objectives: Sequence[Objective], events: Sequence[Event]
) -> list[Trial]:
    """The measured trials, best first: as the strategy ranked them when it last stopped, and behind those,
    or where it never did or more were measured since, by their scores."""
    said = [value["numbers"] for _, name, value in events if name == "recommend"]
    known = {t.number: t for t in trials if t.score is not None}
    leader = [t.number for t in list(find_incumbents(trials))[-1:] if t is not None]
    ranked = rank_trials(trials, objectives, leader)
    first = [known[n] for n in said[-1] if n in known] if said else []
    # A search that went on since has better ones, perhaps, that nobody has ranked yet.
    if first and ranked and (ranked[0].score or 0.0) > (first[0].score or 0.0) and len(objectives) == 1:
        first = first if ranked[0].number in {t.number for t in first} else []
    numbers = {t.number for t in first}
    return [*first, *(t for t in ranked if t.number not in numbers)]
