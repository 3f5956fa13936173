"""`search`: find the best network for some data, and train it."""

from __future__ import annotations

import time
from typing import Any

import typer

from cambrian.cli.app import Depth, Json, Minimize, Out, Questions, Replicates, app, say
from cambrian.cli.audited import AUTO, Audited, check_audited, follow_audit
from cambrian.cli.by_hand import check_raced, train_by_hand
from cambrian.cli.display.busy import busy
from cambrian.cli.display.panels import FIND
from cambrian.cli.options.amounts import (
    BudgetText,
    Cells,
    Epochs,
    Filters,
    FinalCells,
    FinalEpochs,
    FinalFilters,
    ImageCount,
    Keep,
    Levels,
)
from cambrian.cli.options.data import Data, Metric, Read, Size, Target, load_task
from cambrian.cli.options.engines import Device, EngineName, RayAddress, Workers, read_engine
from cambrian.cli.options.estimators import is_extrapolated, is_function, read_estimator
from cambrian.cli.options.given import name_options, refuse_these
from cambrian.cli.options.limits import MaxMacs, MaxParams, Memory, SearchLimits, Timeout, read_limits
from cambrian.cli.options.models import fit_model, read_model
from cambrian.cli.options.numbers import seconds_of
from cambrian.cli.options.objectives import VALUE, Choose, Objectives, find_metric, read_objectives
from cambrian.cli.options.recipe import (
    AugmentStrength,
    BatchSize,
    LearningRate,
    Optimiser,
    Precision,
    Pretrained,
    WeightDecay,
    read_recipe,
)
from cambrian.cli.options.run import Logs, Seed, check_unused
from cambrian.cli.options.searched import (
    BeginWith,
    BenchmarkName,
    ByHand,
    Entrants,
    EstimatorName,
    ModelName,
    Paper,
    SpaceName,
    StrategyName,
    Surrogate,
)
from cambrian.cli.run_search import run_search
from cambrian.errors import UsageError


@app.command(
    rich_help_panel=FIND,
    epilog="cambrian search path/to/images --budget 30m --limit latency=5ms\n"
    "cambrian search digits --budget 20 --strategy evolution --space nasbench201",
)
def search(
    context: typer.Context,
    data: Data = "digits",
    budget: BudgetText = None,
    run: Out = None,
    benchmark: BenchmarkName = None,
    minimize: Minimize = None,
    objectives: Objectives = None,
    choose: Choose = None,
    questions: Questions = None,
    depth: Depth = None,
    replicates: Replicates = None,
    space: SpaceName = None,
    model: ModelName = None,
    strategy: StrategyName = None,
    begin_with: BeginWith = None,
    surrogate: Surrogate = None,
    estimator: EstimatorName = None,
    audit: Audited = None,
    paper: Paper = False,
    metric: Metric = None,
    levels: Levels = None,
    keep: Keep = None,
    epochs: Epochs = None,
    images: ImageCount = None,
    filters: Filters = None,
    cells: Cells = None,
    final_epochs: FinalEpochs = None,
    final_filters: FinalFilters = None,
    final_cells: FinalCells = None,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    timeout: Timeout = None,
    memory: Memory = None,
    entrants: Entrants = None,
    by_hand: ByHand = False,
    learning_rate: LearningRate = None,
    optimiser: Optimiser = None,
    batch_size: BatchSize = None,
    weight_decay: WeightDecay = None,
    augment_strength: AugmentStrength = None,
    precision: Precision = None,
    pretrained: Pretrained = None,
    log: Logs = None,
    limit: SearchLimits = None,
    size: Size = None,
    read: Read = None,
    target: Target = None,
    seed: Seed = 0,
    workers: Workers = None,
    engine: EngineName = None,
    ray_address: RayAddress = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Find the best network for your images, sounds, texts or table, and train it.

    Networks are tried within the budget, the best few are trained to the end, and the best of them is kept
    in the run directory with its weights."""
    began = time.monotonic()
    from cambrian.loggers.opening import check_log
    from cambrian.search.ledger.run_directory import check_apart, choose_place
    from cambrian.search.planning.budget import Budget
    from cambrian.search.planning.plan import plan
    from cambrian.search.planning.wording import describe_data
    from cambrian.spaces import SPACES
    from cambrian.strategies import STRATEGIES

    Budget.parse(budget)  # refused before data are read, as is the time
    longest = None if timeout is None else seconds_of(timeout)
    read_engine(engine, ray_address)
    images_kept, limits = read_limits(limit or (), params=max_params, macs=max_macs)
    check_unused(run)
    for each in log or ():
        check_log(each)
    if surrogate is not None:
        _check_surrogate(surrogate)
    if benchmark is not None:
        from cambrian.cli.benchmark_search import TableOptions, search_table

        columns = TableOptions(benchmark, minimize, questions, depth, replicates)
        search_table(
            context,
            columns,
            strategy,
            budget,
            run,
            seed,
            as_json,
            objectives,
            estimator,
            choose,
            log,
            begin_with,
        )
        return
    if minimize is not None:
        raise UsageError(
            "--minimize and --maximize are for --benchmark: the metric of data says which is better"
        )
    check_apart(run, data)
    check_audited(estimator, audit)
    ranked = AUTO if estimator == AUTO else read_estimator(estimator)
    refuse_these(context, ("questions", "depth", "replicates"), "for --benchmark with a table of your own")
    # Only what the user said is passed on: everything else is the plan's to choose.
    changes = {
        "levels": levels,
        "keep": keep,
        "entrants": _read_entrants(entrants),
        "epochs": epochs,
        "images": images,
        "filters": filters,
        "cells": cells,
        "final_epochs": final_epochs,
        "final_filters": final_filters,
        "final_cells": final_cells,
    }
    trained = ranked in (None, AUTO) or is_extrapolated(ranked)
    metric = metric or find_metric(objectives)
    by_function = is_function(ranked)
    value = (metric or "accuracy") if trained or by_function else VALUE
    others = read_objectives(objectives, value, own=by_function)
    # Plain progressive search is made by the plan, with the budget's settings.
    chosen: Any = strategy if strategy in (None, "progressive") else STRATEGIES.parse(strategy)
    place = read_model(model, space) if model is not None else None if space is None else SPACES.parse(space)
    recipe = read_recipe(
        learning_rate=learning_rate,
        optimiser=optimiser,
        batch_size=batch_size,
        weight_decay=weight_decay,
        augment_strength=augment_strength,
        precision=precision,
        pretrained=pretrained,
    )
    task = load_task(data, metric, images_kept, size, seed, read, target)
    loaded = time.monotonic() - began
    # Said at once: the plan that follows measures networks for some seconds.
    say(f"{'data':>9}  {describe_data(task)}", to_json=as_json)
    if model is not None:
        place = fit_model(place, task, recipe, as_json)
    if estimator == AUTO:
        advised, place, quick = follow_audit(task, audit, place, changes, recipe, as_json)
        ranked = read_estimator(advised)
    common: dict[str, Any] = {
        "workers": workers,
        "engine": read_engine(engine, ray_address),
        "device": device,
        "recipe": {k: v for k, v in recipe.items() if v is not None},
        "seed": seed,
        "memory": None if memory is None else int(memory * 2**30),
    }
    if ranked is not None:
        common["estimator"] = ranked
    if estimator == AUTO:
        common["audit"] = quick
    if others:
        common["objectives"] = others
    if choose is not None:
        common["choose"] = choose
    with (
        name_options(context, audit="--estimator auto"),
        busy("planning: networks are timed on this machine"),
    ):
        planned = plan(
            task,
            budget,
            paper=paper,
            space=place,
            strategy=chosen,
            surrogate=surrogate,
            changes={k: v for k, v in changes.items() if v is not None},
            limits=limits,
            timeout=longest,
            began=began,
            begin_with=begin_with,
            **common,
        )
    if by_hand:
        check_raced(planned, as_json)
    for label, text in planned.rows[1:]:  # the first row is about the data
        say(f"{label:>9}  {text}", to_json=as_json)
    # The directory is claimed last, so that a mistake above leaves none behind.
    with choose_place(run, task.name) as directory:
        run_search(planned.search, directory, planned.trials, as_json, logs=log)
    if by_hand:
        # It pays for reading the data and planning as the search does.
        train_by_hand(task, planned, directory, {**common, "began": time.monotonic() - loaded})


def _read_entrants(text: str | None) -> int | str | None:
    """The number in `--entrants`, or the word."""
    return int(text) if text is not None and text.isdecimal() else text


def _check_surrogate(name: str) -> None:
    from cambrian.predictors import PREDICTORS

    if name not in PREDICTORS.names():  # a known name is right without loading scikit-learn or torch
        PREDICTORS.parse(name)
