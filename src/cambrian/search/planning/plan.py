"""From data and a budget to a search."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.errors import Unread, join_words
from cambrian.estimators.limits import read_limits
from cambrian.search.engines.engine import Engine
from cambrian.search.parts.begun import find_begun_space
from cambrian.search.parts.compatibility import (
    check_begun,
    check_classes,
    check_needs,
    check_objectives,
    check_shared,
    trains_supernets,
)
from cambrian.search.parts.components import (
    SEVERAL,
    check_baselines,
    component,
    name_estimators,
    read_order,
    space_for,
    task_of,
)
from cambrian.search.parts.devices import AUTO, choose_device, usual_workers
from cambrian.search.parts.direction import read_objective
from cambrian.search.parts.engine_choice import choose_engine
from cambrian.search.parts.given import check_names, check_types
from cambrian.search.parts.numbers import check_numbers
from cambrian.search.planning.asked_settings import refuse_asked
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.planned import Plan
from cambrian.search.planning.precisions import check_precision
from cambrian.search.planning.preset.plan import plan_by_preset
from cambrian.search.planning.pretrained import fit_search
from cambrian.search.planning.race.search import plan_by_race
from cambrian.search.planning.race.space import find_race_space
from cambrian.search.planning.supernet.search import plan_by_supernet
from cambrian.search.planning.table_plan import plan_by_table
from cambrian.settings import COUNT, check_truths
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

__all__ = ["Plan", "plan"]

RACE_CHANGES = {"filters", "entrants"}
FEW_PIXELS = 500_000
"""Pixels of all training images up to which a search without a budget takes MINUTES."""
COUNTED = {"levels", "keep", "epochs", "images", "final_epochs"}
"""Changes that are numbers of something; others are of the networks, which check them."""
NUMBERS = ("seed", "lag", "timeout", "memory", "attempts", "room")
PASSED = (*NUMBERS, "estimator", "limits", "minimize", "objectives", "choose", "order")
"""The settings of `Search` that a plan leaves to whoever asks for it."""
MINUTES, HALF_HOUR = 120.0, 1800.0
"""Seconds of the budget where nobody names one: of few pixels, and of more."""


def plan(
    task: Task | Any,
    budget: Budget | str | int | None = None,
    *,
    paper: bool = False,
    workers: int | None = None,
    device: str = AUTO,
    space: Space | str | Mapping[str, Any] | None = None,
    strategy: Strategy | str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    surrogate: str | None = None,
    changes: Mapping[str, Any] | None = None,
    baselines: tuple[str, ...] | None = None,
    audit: bool = False,
    engine: Engine | str | None = None,
    began: float | None = None,
    begin_with: Any = None,
    **settings: Any,
) -> Plan:
    """A search for `task`, or the data of that name or path, within `budget`, which may be a time, a number
    of trials, of epochs, or several; `run` of the plan begins it.

    A budget of time alone is a race, where nobody says otherwise: a portfolio of networks is raced for a part
    of the time, and its winner goes on learning until the end (see `race/plan.py`). A named `strategy`, a
    number of trials, levels or epochs in `changes`, `paper`, or `objectives` among the `settings`, are
    searches that a preset describes (see `preset/plan.py`): progressive search unless another strategy is
    named, usual for a budget of few trials, or nsga2 for several objectives, of which a race would follow the
    first alone; all in the usual space of the data (of images PNAS's) unless another `space` is. A strategy
    that trains a supernet has a plan of its own (see `supernet/plan.py`), in NAS-Bench-201's space, or, of a
    table, in `tabular` where it samples networks, unless another is named.

    `paper` takes the space's own paper's settings. `changes` sets "levels", "keep", "epochs", "images",
    "final_epochs", and settings of the space's skeleton by their names, those of the final networks after
    "final_"; of a race, "filters" and "entrants": the number of networks of the portfolio, "random", or one
    of its names. `surrogate` ranks the networks of progressive search. `recipe` sets those of the training;
    `settings` go to `Search`; an "estimator" among them, such as the proxy naswot, searches, and training
    finishes what it finds. `baselines` are trained beside the winner: left open, of a preset's search a
    random architecture and the space's published one, of a race none, since its portfolio holds them. With
    `audit`, a tenth of a preset's budget of time is for a quick audit of what to measure networks by, where
    the time is long enough for one (see `quick_audit`); its row "fidelity" says so, or why not.
    `begin_with` are networks that are measured first, as `Search` has it; of an earlier run its space is
    searched, where no other is named, by Bayesian optimisation, where no other strategy is: or it is raced
    again, if its space has a portfolio, where the first of them is the favourite.
    `engine` runs the trials, as `Search` has it: left open, processes of this machine. A budget of time
    `began` then, by `time.monotonic()`, as before data were read: left open, now. Measures the machine's
    speed for some seconds.

    Raises Unread for a setting that the planned search would not read."""
    began = time.monotonic() if began is None else began
    check_names("plan", settings, [*_list_settings(), *PASSED])
    check_types(device=device, recipe=recipe, changes=changes, baselines=baselines, **settings)
    check_truths(paper=paper, audit=audit)
    check_numbers(workers=workers, **{name: settings[name] for name in NUMBERS if name in settings})
    _check_training(recipe)
    for name in COUNTED & (changes or {}).keys():
        COUNT.check(name, (changes or {})[name])
    task, device = task_of(task), choose_device(device)
    limits, changes, recipe = Budget.parse(budget), dict(changes or {}), dict(recipe or {})
    _check_pretrained(recipe)
    if strategy is None and _names_several(task, settings):
        strategy = SEVERAL
    if begin_with is not None:
        space = find_begun_space(begin_with) if space is None else space
        settings["begin_with"] = begin_with
    chosen = None if strategy is None else component("strategy", strategy)
    named = "train" if settings.get("estimator") is None else settings["estimator"]
    fitted = None if space is None else space_for(space, task)
    _check_named(fitted, surrogate, baselines, settings)
    if fitted is not None:
        refuse_asked(recipe, fitted)
    if chosen is not None:
        _refuse_impossible(chosen, task, fitted, settings)
    engine, notice = choose_engine(
        engine,
        usual_workers(device) if engine is None and workers is None else workers,
        fitted,
        name_estimators(component("estimator", named), getattr(chosen, "estimators", {})),
        memory=settings.get("memory"),
        device=device,
    )
    request = PlanRequest(
        task,
        limits,
        device=device,
        engine=engine,
        space=space,
        strategy=strategy,
        surrogate=surrogate,
        paper=paper,
        recipe=recipe,
        changes=changes,
        baselines=baselines,
        settings=settings,
        audit=audit,
        began=began,
    )
    planned = _choose_plan(request, chosen)
    # Reading the data and planning are parts of the budget, since a user waits for them as well.
    planned.search.spent = time.monotonic() - began
    planned = _describe_begun(planned)
    if notice is not None:  # said once the plan is made: a space that cannot be built is refused first
        planned.search.notice = notice
        warnings.warn(notice, stacklevel=2)
    return planned


def _describe_begun(planned: Plan) -> Plan:
    """The plan, with a row for the networks that the search begins with, where it has any of its own."""
    begins = list(planned.search.begins)
    if not begins:
        return planned
    place = 1 + [label for label, _ in planned.rows].index("strategy")
    row = ("first", f"{join_words(begins)}, trained anew")
    rows = (*planned.rows[:place], row, *planned.rows[place:])
    planned.search.remarks["plan"] = rows
    return msgspec.structs.replace(planned, rows=rows)


def _list_settings() -> list[str]:
    """The settings that `plan` reads itself."""
    asked = inspect.signature(plan).parameters.values()
    return [each.name for each in asked if each.kind != each.VAR_KEYWORD]


def _check_training(recipe: Mapping[str, Any] | None) -> None:
    """Raises UsageError for a setting that a training does not have."""
    from cambrian.estimators.train import Train

    check_names("a training", recipe or (), [field.name for field in fields(Train)])


def _check_named(
    space: Space | None, surrogate: str | None, baselines: Sequence[str] | None, settings: Mapping[str, Any]
) -> None:
    """Raise UnknownName, or UsageError, for what is named and does not exist, before networks are timed."""
    read_limits(settings.get("limits") or {})
    if settings.get("order") is not None:
        read_order(settings["order"])
    if surrogate is not None:
        from cambrian.predictors import PREDICTORS

        if surrogate not in PREDICTORS.names():  # a known one is not loaded for this, nor is torch
            PREDICTORS.parse(surrogate)
    if space is not None:
        check_baselines(baselines or (), space)


def _names_several(task: Task, settings: Mapping[str, Any]) -> bool:
    """Whether an objective is named besides the task's metric, of which one may give the reference alone."""
    return _count_objectives(task, settings) > 1


def _count_objectives(task: Task, settings: Mapping[str, Any]) -> int:
    """The task's metric, and the others that are named."""
    return len({task.metric, *(read_objective(each).name for each in settings.get("objectives") or ())})


def _refuse_impossible(
    strategy: Strategy, task: Task, space: Space | None, settings: Mapping[str, Any]
) -> None:
    """Raise Incompatible, or UsageError, for what no budget makes possible, before a budget is refused:
    else a user would give more time in vain."""
    check_objectives(strategy, _count_objectives(task, settings))
    if trains_supernets(strategy):
        check_begun(strategy, settings.get("begin_with"))
        check_classes(strategy, task)
        if space is not None:
            check_shared(strategy, space)
            check_needs(strategy, space)


def _choose_plan(request: PlanRequest, chosen: Strategy | None) -> Plan:
    """The plan that `request` asks for; `chosen` is its strategy."""
    task, limits, strategy = request.task, request.limits, request.strategy
    recipe, changes, paper = request.recipe, request.changes, request.paper
    shared = chosen is not None and trains_supernets(chosen)
    if task.columns and not shared:
        return _check_recipe(plan_by_table(request), recipe)
    described = paper or strategy is not None or request.surrogate is not None
    described = described or bool(changes.keys() - RACE_CHANGES)
    described = described or request.settings.get("estimator") is not None
    counted = limits.trials is not None or limits.most_epochs is not None
    raced = None if described or counted else find_race_space(request)
    if raced is None and "entrants" in changes:
        raise Unread(["entrants"], "for a race, which has a time as its budget, and no strategy or epochs")
    if limits == Budget() and not paper and (raced is not None or _count_pixels(task) > FEW_PIXELS):
        usual = MINUTES if _count_pixels(task) <= FEW_PIXELS else HALF_HOUR
        request = replace(request, limits=Budget(seconds=usual))
    if raced is not None:
        return plan_by_race(request, raced)
    if chosen is not None and shared:
        _refuse_for_supernets(request)
        return _check_recipe(plan_by_supernet(request, chosen), recipe)
    return _check_recipe(plan_by_preset(request), recipe)


def _check_pretrained(recipe: Mapping[str, Any]) -> None:
    """Raise RunError where the file of weights cannot be read, before anything is trained."""
    if recipe.get("pretrained"):
        from cambrian.networks.checkpoint import load_facts

        load_facts(Path(recipe["pretrained"]))


def _check_recipe(planned: Plan, recipe: Mapping[str, Any]) -> Plan:
    """The plan, with a row for pretrained weights. Raises UsageError where they fit no network of it, Unread
    for a precision in which none is trained."""
    check_precision(planned.search, recipe.get("precision"))
    if not recipe.get("pretrained"):
        return planned
    share = fit_search(Path(recipe["pretrained"]), planned.search)
    text = f"those given fit networks of this search: up to {share:.0%} of the numbers of one"
    rows = (*planned.rows, ("weights", text))
    planned.search.remarks["plan"] = rows
    return msgspec.structs.replace(planned, rows=rows)


def _refuse_for_supernets(request: PlanRequest) -> None:
    """Raise Unread for settings of other searches."""
    if request.settings.get("estimator") is not None:
        raise Unread(
            ["estimator"],
            "for strategies that train no supernet: one with a supernet scores networks with its weights",
        )
    if request.audit:
        raise Unread(["audit"], "for strategies that train no supernet")
    unread = ["paper"] * request.paper + ["surrogate"] * (request.surrogate is not None)
    if request.paper:
        raise Unread(
            unread,
            "for progressive search: a strategy that trains a supernet has its paper's settings as"
            " NAME(paper), such as spos(paper)",
        )
    if unread:
        raise Unread(unread, "for progressive search, and the strategy trains a supernet")


def _count_pixels(task: Task) -> int:
    """The pixels of all training images."""
    return len(task.train) * task.height * task.width
