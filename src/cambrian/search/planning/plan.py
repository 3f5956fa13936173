"""From data and a budget to a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.search.compatibility import trains_supernets
from cambrian.search.components import component, space_for
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.planned import Plan
from cambrian.search.planning.preset_plan import plan_by_preset
from cambrian.search.planning.race_search import plan_by_race
from cambrian.search.planning.shared_search import plan_by_supernet
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

__all__ = ["Plan", "plan"]

RACED = "stages"
"""The space of a search by time for which nobody names one."""
RACE_CHANGES = {"filters", "entrants"}
SURROGATE = "mlp-ensemble"
FEW_PIXELS = 500_000
"""Pixels of all training images up to which a search without a budget takes MINUTES."""
MINUTES, HALF_HOUR = 120.0, 1800.0
"""Seconds of the budget where nobody names one: of few pixels, and of more."""


def plan(
    task: Task,
    budget: Budget | str | int | None = None,
    *,
    paper: bool = False,
    workers: int | None = None,
    device: str = "cpu",
    space: Space | str | Mapping[str, Any] | None = None,
    strategy: Strategy | str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    surrogate: str = SURROGATE,
    changes: Mapping[str, Any] | None = None,
    baselines: tuple[str, ...] | None = None,
    **settings: Any,
) -> Plan:
    """A search for `task` within `budget`, which may be a time, a number of trials, or both.

    A budget of time alone is a race, where nobody says otherwise: a portfolio of networks is raced for a
    part of the time, and its winner goes on learning until the end (see `race_plan`). A named `strategy`, a
    number of trials, levels or epochs in `changes`, or `paper`, are searches that a preset describes (see
    `preset_plan`): progressive search unless another strategy is named, or usual for a budget of few trials,
    in PNAS's space unless another `space` is. A strategy that trains a supernet has a plan of its own (see
    `shared_plan`), in NAS-Bench-201's space unless another is named.

    `paper` takes the space's own paper's settings. `changes` sets "levels", "keep", "epochs", "images",
    "final_epochs", and settings of the space's skeleton by their names, those of the final networks after
    "final_"; of a race, "filters" and "entrants": the number of networks of the portfolio, "random", or one
    of its names. `recipe` sets those of the training; `settings` go to `Search`. `baselines` are trained
    beside the winner: left open, of a preset's search a random architecture and the space's published one, of
    a race none, since its portfolio holds them. Measures the machine's speed for some seconds."""
    limits, changes = Budget.parse(budget), dict(changes or {})
    described = paper or strategy is not None or surrogate != SURROGATE or bool(changes.keys() - RACE_CHANGES)
    raced = None if described or limits.trials is not None else _find_raced(space, task)
    if raced is None and "entrants" in changes:
        raise UsageError(
            "entrants are the networks of a race: give a time as the budget, and no strategy, levels or"
            " epochs"
        )
    if limits == Budget() and not paper and (raced is not None or _count_pixels(task) > FEW_PIXELS):
        limits = Budget(seconds=MINUTES if _count_pixels(task) <= FEW_PIXELS else HALF_HOUR)
    if raced is not None:
        return plan_by_race(
            task,
            raced,
            limits,
            workers=workers,
            device=device,
            recipe=dict(recipe or {}),
            changes=changes,
            baselines=baselines or (),
            settings=settings,
        )
    chosen = None if strategy is None else component("strategy", strategy)
    if chosen is not None and trains_supernets(chosen):
        _refuse_for_supernets(paper, surrogate)
        return plan_by_supernet(
            task,
            chosen,
            limits,
            workers=workers,
            device=device,
            space=space,
            recipe=dict(recipe or {}),
            changes=changes,
            baselines=baselines,
            settings=settings,
        )
    return plan_by_preset(
        task,
        limits,
        paper=paper,
        workers=workers,
        device=device,
        space=space,
        strategy=strategy,
        recipe=dict(recipe or {}),
        surrogate=surrogate,
        changes=changes,
        baselines=baselines,
        settings=settings,
    )


def _refuse_for_supernets(paper: bool, surrogate: str) -> None:
    """Raise UsageError for what is said of a search that trains a supernet, and is not about one."""
    if paper or surrogate != SURROGATE:
        raise UsageError(
            f"{'paper' if paper else 'surrogate'} is about progressive search, and the strategy trains a"
            " supernet: its paper's settings are NAME(paper), such as spos(paper)"
        )


def _find_raced(given: Any, task: Task) -> Space | None:
    """The space to race in: the named one if it has a portfolio, the usual one where none is named."""
    space = space_for(RACED if given is None else given, task)
    return None if know(space, HasPortfolio) is None else space


def _count_pixels(task: Task) -> int:
    """The pixels of all training images."""
    return len(task.train) * task.height * task.width
