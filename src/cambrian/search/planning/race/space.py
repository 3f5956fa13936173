"""The space of a race: the named one, if it has a portfolio, or the usual one of the data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cambrian.search.parts.components import (
    space_for,
)
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.preset.plan import DENSE_SPACE
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space
from cambrian.tasks.nouns import TEXTS

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

RACED = "stages"
"""The space of a search by time for which nobody names one; of masks it is DENSE_SPACE."""
RACED_TEXT, RACED_BRIEFLY = "sequence-chain", "sequence-chain(favourite=n-gram-lstm)"
"""The same for a text whose next character is learned, and where there is less than BRIEF for it."""
BRIEF = 200.0
"""Seconds of all cores together. What n-grams say is learned at once; with the same time more the network
that reads characters alone is ahead: RESULTS.md, A running text."""
RACED_TEXTS = "sequence-chain(favourite=n-grams)"
"""The same for texts that are classified or measured as a whole."""


def find_race_space(request: PlanRequest) -> Space | None:
    """The space to race in: the named one if it has a portfolio, the usual one where none is named."""
    task, seconds = request.task, request.limits.seconds or math.inf
    space = space_for(
        choose_race_space(task, seconds * request.crew) if request.space is None else request.space, task
    )
    if getattr(space, "causal", False) and task.noun != TEXTS:  # a portfolio of networks for texts
        return None
    return None if know(space, HasPortfolio) is None else space


def choose_race_space(task: Task, seconds: float = math.inf) -> str:
    """The space whose portfolio is raced where nobody names one, in so many seconds of all cores."""
    if task.dense:
        return DENSE_SPACE
    if task.noun != TEXTS:
        return RACED
    if task.causal:
        return RACED_BRIEFLY if seconds < BRIEF else RACED_TEXT
    return RACED_TEXTS
