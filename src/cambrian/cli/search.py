"""`search`: find the best network for some data, and train it."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cambrian.cli.app import Depth, Json, Minimize, Out, Questions, Replicates, app, say
from cambrian.cli.audited import AUTO, Audited, check_audited, follow_audit
from cambrian.cli.by_hand import check_raced, train_by_hand
from cambrian.cli.display.busy import busy
from cambrian.cli.display.panels import FIND
from cambrian.cli.listing import complete
from cambrian.cli.options.data import Read, Target, load_task
from cambrian.cli.options.engines import read_engine
from cambrian.cli.options.estimators import is_extrapolated, read_estimator
from cambrian.cli.options.given import name_options, refuse_these
from cambrian.cli.options.limits import read_limits
from cambrian.cli.options.models import fit_model, read_model
from cambrian.cli.options.numbers import amount, count, seconds_of, share
from cambrian.cli.options.objectives import VALUE, Choose, Objectives, find_metric, read_objectives
from cambrian.cli.options.recipe import read_recipe
from cambrian.cli.run_search import run_search
from cambrian.errors import UsageError

DATA, BUDGET, SEARCHED, FINAL, TRAINING, LIMITS, MACHINE, RUN = (
    "Data",
    "Budget",
    "What to search",
    "Final network",
    "Training",
    "Limits",
    "Machine",
    "The run",
)
"""Panels of options in the help."""

Data = Annotated[
    str,
    typer.Argument(
        help="Your images, sounds or texts, a folder with a folder for each class; images with masks; a .csv"
        " of rows or of images; an .npz, IDX files; one long text; or digits, fashion-mnist; cambrian list"
        " data.",
        autocompletion=complete("data"),
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        help="What counts: accuracy, or balanced-accuracy where classes differ in size; of numbers r2, rmse"
        " or mae; of several labels mean-average-precision or macro-f1.",
        show_default="accuracy, r2, ... as the data need",
        rich_help_panel=DATA,
    ),
]
Limit = Annotated[
    int | None,
    count(
        "Use so many images, besides a validation or test part that the data come with.",
        rich_help_panel=DATA,
    ),
]
SearchLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="MEASURE=AMOUNT|N",
        help="Refuse networks over a limit before they are trained: latency=5ms, memory=200MB, params=1M,"
        " macs=300M; may be given several times. A number alone: use so many images, texts or rows.",
        show_default=False,
        rich_help_panel=LIMITS,
    ),
]
Logs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="tensorboard|mlflow[:WHERE]",
        help="Tell another program of each trial too: tensorboard, into RUN/tensorboard or the folder WHERE;"
        " mlflow, at the address WHERE or its own.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
Size = Annotated[int | None, count("Scale images to so many pixels a side.", rich_help_panel=DATA)]
Seed = Annotated[int, count("The same seed gives the same search.", least=0, rich_help_panel=RUN)]
Workers = Annotated[
    int | None,
    count("Train so many networks at a time [default: the cores, or the GPUs].", rich_help_panel=MACHINE),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME|NAME(setting=value, ...)",
        help="Where networks are trained: serial, processes of this machine, or ray, the machines of a Ray"
        " cluster, as 'ray(gpus=0.5)'.",
        show_default="processes, serial for a single worker",
        rich_help_panel=MACHINE,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        help="The Ray cluster that --engine ray joins; left out, it begins one on this machine.",
        show_default=False,
        rich_help_panel=MACHINE,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=MACHINE)]


@app.command(
    rich_help_panel=FIND,
    epilog="cambrian search path/to/images --budget 30m --limit latency=5ms\n"
    "cambrian search digits --budget 20 --strategy evolution --space nasbench201",
)
def search(
    context: typer.Context,
    data: Data = "digits",
    budget: Annotated[
        str | None,
        typer.Option(
            help="How long to search, final training included: a time, a number of networks to try, of"
            " epochs, or several: 30m, 2h, 200, 5000epochs, '200,30m' [default: as the data need].",
            show_default=False,
            rich_help_panel=BUDGET,
        ),
    ] = None,
    run: Out = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Train nothing: look results up in a published table, or in your own .csv or .npz.",
            autocompletion=complete("benchmarks"),
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    minimize: Minimize = None,
    objectives: Objectives = None,
    choose: Choose = None,
    questions: Questions = None,
    depth: Depth = None,
    replicates: Replicates = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Which networks may be built: NAME, NAME(setting=value, ...), or module:function of yours;"
            " cambrian list spaces.",
            show_default="by the data: of images stages within a time, else pnas",
            autocompletion=complete("spaces"),
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Search changes of your own network: module:name of a torch.nn.Module, or of a function or"
            " class that makes one, in place of --space.",
            show_default=False,
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="How the next network is chosen: NAME, NAME(paper), NAME(setting=value, ...); cambrian list"
            " strategies.",
            show_default="race within a time, else by space and budget",
            autocompletion=complete("strategies"),
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    surrogate: Annotated[
        str | None,
        typer.Option(
            help="The predictor with which progressive search ranks networks before training any; cambrian"
            " list predictors.",
            show_default="mlp-ensemble",
            autocompletion=complete("predictors"),
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    estimator: Annotated[
        str | None,
        typer.Option(
            help="What ranks networks in the search: train; a measure before training, such as naswot or"
            " 'zen(repeats=8)' (cambrian list measures); 'extrapolated(model=pfn)', which ends trainings"
            " early (cambrian list curve-models); or auto: the shortcut that an audit recommends.",
            show_default="train",
            autocompletion=complete("measures"),
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    audit: Audited = None,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper",
            help="The settings of the PNAS paper: B=5, K=256, 20 epochs, F=24.",
            rich_help_panel=SEARCHED,
        ),
    ] = False,
    metric: Metric = None,
    levels: Annotated[
        int | None,
        count(
            "Grow networks up to so many blocks (progressive search: the paper's B).",
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    keep: Annotated[
        int | None,
        count(
            "Train so many networks at each level after the first (the paper's K).", rich_help_panel=SEARCHED
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        count("Train each network of the search for so many epochs.", rich_help_panel=BUDGET),
    ] = None,
    images: Annotated[
        int | None,
        count("Train each network of the search on so many images.", rich_help_panel=BUDGET),
    ] = None,
    filters: Annotated[
        int | None, count("Filters of the first layers or cells during the search.", rich_help_panel=SEARCHED)
    ] = None,
    cells: Annotated[
        int | None, count("Cells of a network during the search.", rich_help_panel=SEARCHED)
    ] = None,
    final_epochs: Annotated[
        int | None, count("Train the final network for so many epochs.", rich_help_panel=FINAL)
    ] = None,
    final_filters: Annotated[
        int | None, count("Filters of the final network.", rich_help_panel=FINAL)
    ] = None,
    final_cells: Annotated[int | None, count("Cells of the final network.", rich_help_panel=FINAL)] = None,
    max_params: Annotated[
        float | None, amount("The same as --limit params=N.", rich_help_panel=LIMITS)
    ] = None,
    max_macs: Annotated[float | None, amount("The same as --limit macs=N.", rich_help_panel=LIMITS)] = None,
    timeout: Annotated[
        str | None,
        typer.Option(help="Give a training up after this time, such as 5m.", rich_help_panel=LIMITS),
    ] = None,
    memory: Annotated[
        float | None,
        amount("Give a training up that takes more GiB of memory.", most=2**32, rich_help_panel=LIMITS),
    ] = None,
    entrants: Annotated[
        str | None,
        typer.Option(
            help="Race at most so many networks of the portfolio within a time, random ones (random), or one"
            " by its name, such as resnet.",
            show_default=False,
            rich_help_panel=SEARCHED,
        ),
    ] = None,
    by_hand: Annotated[
        bool,
        typer.Option(
            "--by-hand",
            help="Train a small residual network for the same time afterwards, whatever --limit, --choose and"
            " --pretrained say; of a table gradient boosting, of texts a linear model; and print both.",
            rich_help_panel=FINAL,
        ),
    ] = False,
    learning_rate: Annotated[
        float | None, amount("The highest learning rate of all trainings.", rich_help_panel=TRAINING)
    ] = None,
    optimiser: Annotated[
        str | None,
        typer.Option(
            help="What takes the steps of all trainings: muon, sgd or adamw.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    batch_size: Annotated[
        int | None, count("Images in a step of training.", least=2, rich_help_panel=TRAINING)
    ] = None,
    weight_decay: Annotated[
        float | None, amount("The weight decay of all trainings.", rich_help_panel=TRAINING)
    ] = None,
    augment_strength: Annotated[
        float | None,
        share(
            "Shifts, flips and holes of the images in training: 0 is none, 1 the usual.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Numbers of convolutions and products of matrices in training: float32, bfloat16 (on a CPU"
            " for networks of dense convolutions alone), or auto, which is bfloat16 on a GPU alone.",
            show_default="the faster one here",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    pretrained: Annotated[
        Path | None,
        typer.Option(
            help="Begin with the tensors of this safetensors file whose names and shapes fit.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = None,
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
    _check_unused(run)
    for each in log or ():
        check_log(each)
    if surrogate is not None:
        _check_surrogate(surrogate)
    if benchmark is not None:
        from cambrian.cli.benchmark_search import TableOptions, search_table

        columns = TableOptions(benchmark, minimize, questions, depth, replicates)
        search_table(
            context, columns, strategy, budget, run, seed, as_json, objectives, estimator, choose, log
        )
        return
    if minimize is not None:
        raise UsageError("--minimize and --maximize are for --benchmark: accuracy is maximised")
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
    others = read_objectives(objectives, (metric or "accuracy") if trained else VALUE)
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


def _check_unused(run: Path | None) -> None:
    """Refuse a directory that cannot be made, or that holds a run: a second plan measures anew, and would
    differ from the first."""
    from cambrian.search.ledger.run_directory import check_place, read_begun

    if run is None:
        return
    check_place(run)
    if read_begun(run) is not None:
        raise UsageError(
            f"{run} holds a run already: go on with cambrian resume {shlex.quote(str(run))}, or name another"
            " directory"
        )


def _read_entrants(text: str | None) -> int | str | None:
    """The number in `--entrants`, or the word."""
    return int(text) if text is not None and text.isdecimal() else text


def _check_surrogate(name: str) -> None:
    from cambrian.predictors import PREDICTORS

    if name not in PREDICTORS.names():  # a known name is right without loading scikit-learn or torch
        PREDICTORS.parse(name)
