"""The recommendation of a run and its final network, read from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cambrian.effort import grade_fidelity
from cambrian.outcome import Trial
from cambrian.problem import Objective
from cambrian.recommendation import dominates, find_front, rank_trials

RECOMMENDED = 100
"""Trials whose order a run records at its end."""

Event = tuple[float, str, dict[str, Any]]


def read_recommendation(
    trials: Sequence[Trial], objectives: Sequence[Objective], events: Sequence[Event]
) -> list[Trial]:
    """The measured trials, best first: as the strategy ranked them when it last stopped. Trials that it did
    not rank follow by their scores; so do all, where it never stopped or a better one was measured since."""
    rankings = [value["numbers"] for _, name, value in events if name == "recommend"]
    measured = {t.number: t for t in trials if t.score is not None}
    ranked = rank_trials(trials, objectives)
    first = [measured[n] for n in rankings[-1] if n in measured] if rankings else []
    numbers = {t.number for t in first}
    # A search that went on since may have a better trial that the strategy has not ranked yet.
    leaders = ranked[:1] if len(objectives) == 1 else find_front(trials, objectives)
    unranked = [t for t in leaders if t.number not in numbers]
    if first and any(_is_better(t, first[0], objectives, t.number > max(numbers)) for t in unranked):
        return ranked
    return [*first, *(t for t in ranked if t.number not in numbers)]


def find_winner(finals: Sequence[Trial], events: Sequence[Event]) -> Trial | None:
    """The final trial whose network is handed over, once the final stage is complete."""
    # The last event counts: a run resumed with a larger budget ends its final stage again.
    chosen = [value["winner"] for _, name, value in events if name == "final"]
    if not chosen or chosen[-1] is None:
        return None
    return next((t for t in finals if t.number == chosen[-1]), None)


def _is_better(trial: Trial, than: Trial, objectives: Sequence[Objective], later: bool) -> bool:
    """Whether a trial that the strategy did not rank goes before its first one; `later`: it came after it."""
    own, other = grade_fidelity(trial.fidelity), grade_fidelity(than.fidelity)
    if own != other:
        # Of another kind of score, which says more if it is of a fuller measurement. An earlier one the
        # strategy had seen, as a race has those of its longest heat when challenges have another winner.
        return own > other and later
    return dominates(trial.scores(objectives), than.scores(objectives))
