"""`search`, `train`, `resume`: the commands that train networks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cambrian.cli.app import Depth, Json, Minimize, Out, Questions, Replicates, Run, app, say
from cambrian.cli.data import Read, load_task
from cambrian.cli.given import refuse_these
from cambrian.cli.limits import read_limits
from cambrian.cli.numbers import amount, count, seconds_of
from cambrian.cli.run_search import choose_device, run_search
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.architecture import Architecture
    from cambrian.outcome import Fidelity
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task

Data = Annotated[
    str, typer.Argument(help="digits, fashion-mnist, or a path: class folders, .npz, .csv, IDX.")
]
Metric = Annotated[str, typer.Option(help="accuracy or balanced-accuracy.")]
Limit = Annotated[
    int | None,
    count("Images to keep, besides a validation or test part that the data come with."),
]
SearchLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="MEASURE=AMOUNT|N",
        help="Refuse networks over a limit before training: latency=5ms, memory=200MB, params=1M,"
        " macs=300M; may be given several times. Or a number: images to keep.",
        show_default=False,
    ),
]
Size = Annotated[int | None, count("Pixels a side that images are scaled to.")]
Seed = Annotated[int, count("The same seed gives the same search.", least=0)]
Workers = Annotated[int | None, count("Trials at a time [default: the cores, 1 on a GPU].")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.command()
def search(
    context: typer.Context,
    data: Data = "digits",
    budget: Annotated[
        str | None, typer.Option(help="Time, trials or both: 30m, 2h, 200, '200,30m'.", show_default=False)
    ] = None,
    run: Out = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Look trials up in a published table or your own .csv or .npz.")
    ] = None,
    minimize: Minimize = None,
    questions: Questions = None,
    depth: Depth = None,
    replicates: Replicates = None,
    space: Annotated[
        str, typer.Option(help="Search space: NAME, NAME(setting=value, ...) or module:function.")
    ] = "pnas",
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Search strategy: NAME, NAME(paper), NAME(setting=value, ...).",
            show_default="by space and budget",
        ),
    ] = None,
    surrogate: Annotated[str, typer.Option(help="Predictor that ranks new architectures.")] = "mlp-ensemble",
    paper: Annotated[
        bool, typer.Option("--paper", help="The paper's settings: B=5, K=256, 20 epochs, F=24.")
    ] = False,
    metric: Metric = "accuracy",
    levels: Annotated[
        int | None, count("B: levels of progressive search (PNAS: blocks of the largest cells).")
    ] = None,
    keep: Annotated[int | None, count("K: networks trained at each level after the first.")] = None,
    epochs: Annotated[int | None, count("Training epochs of each network.")] = None,
    images: Annotated[int | None, count("Training images of each network.")] = None,
    filters: Annotated[int | None, count("Filters of a cell under search.")] = None,
    cells: Annotated[int | None, count("Cells of a network under search.")] = None,
    final_epochs: Annotated[int | None, count("Epochs of the final networks.")] = None,
    final_filters: Annotated[int | None, count("Filters of the final networks.")] = None,
    final_cells: Annotated[int | None, count("Cells of the final networks.")] = None,
    max_params: Annotated[float | None, amount("The same as --limit params=N.")] = None,
    max_macs: Annotated[float | None, amount("The same as --limit macs=N.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Longest time of a trial, such as 5m.")] = None,
    memory: Annotated[float | None, amount("GiB that a trial may allocate.", most=2**32)] = None,
    limit: SearchLimits = None,
    size: Size = None,
    read: Read = None,
    seed: Seed = 0,
    workers: Workers = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Find the best network for DATA and train it."""
    from cambrian.search.ledger.run_directory import claim
    from cambrian.search.planning.budget import Budget
    from cambrian.search.planning.plan import plan
    from cambrian.search.planning.plan_rows import describe_data
    from cambrian.spaces import SPACES
    from cambrian.strategies import STRATEGIES

    Budget.parse(budget)  # refused before data are read, as is the time
    longest = None if timeout is None else seconds_of(timeout)
    images_kept, limits = read_limits(limit or (), params=max_params, macs=max_macs)
    _check_unused(run)
    _check_surrogate(surrogate)
    if benchmark is not None:
        from cambrian.cli.benchmark_search import TableOptions, search_table

        columns = TableOptions(benchmark, minimize, questions, depth, replicates)
        search_table(context, columns, strategy, budget, run, seed, as_json)
        return
    if minimize is not None:
        raise UsageError("--minimize and --maximize are for --benchmark: accuracy is maximised")
    refuse_these(context, ("questions", "depth", "replicates"), "for --benchmark with a table of your own")
    # Only what the user said is passed on: everything else is the plan's to choose.
    changes = {
        "levels": levels,
        "keep": keep,
        "epochs": epochs,
        "images": images,
        "filters": filters,
        "cells": cells,
        "final_epochs": final_epochs,
        "final_filters": final_filters,
        "final_cells": final_cells,
    }
    # Plain progressive search is made by the plan, with the budget's settings.
    chosen: Any = strategy if strategy in (None, "progressive") else STRATEGIES.parse(strategy)
    place = None if space == "pnas" else SPACES.parse(space)
    task = load_task(data, metric, images_kept, size, seed, read)
    # Said at once: the plan that follows measures networks for some seconds.
    say(f"{'data':>9}  {describe_data(task)}", to_json=as_json)
    planned = plan(
        task,
        budget,
        paper=paper,
        workers=workers,
        device=choose_device(device),
        space=place,
        strategy=chosen,
        surrogate=surrogate,
        changes={k: v for k, v in changes.items() if v is not None},
        seed=seed,
        limits=limits,
        timeout=longest,
        memory=None if memory is None else int(memory * 2**30),
    )
    for label, text in planned.rows[1:]:  # the first row is about the data
        say(f"{label:>9}  {text}", to_json=as_json)
    # The directory is claimed last, so that a mistake above leaves none behind.
    run_search(planned.search, run or claim(task.name), planned.trials, as_json)


@app.command()
def train(
    architecture: Annotated[str, typer.Argument(help="A published name, or a JSON file.")],
    data: Data = "digits",
    run: Out = None,
    epochs: Annotated[int, count("Epochs of training.")] = 15,
    filters: Annotated[int | None, count("Filters of the first cells.")] = None,
    cells: Annotated[int | None, count("Cells in all.")] = None,
    skeleton: Annotated[str | None, typer.Option(help="small, cifar, imagenet-mobile, ...")] = None,
    metric: Metric = "accuracy",
    limit: Limit = None,
    size: Size = None,
    read: Read = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a published, edited or transferred architecture on DATA and test it once."""
    from cambrian.cli.architectures import architecture_of
    from cambrian.outcome import Fidelity
    from cambrian.search.ledger.run_directory import claim
    from cambrian.search.loop.final_stage import Final
    from cambrian.search.search import Search

    entry = architecture_of(architecture)
    space, answers = entry.space, entry.architecture
    task = load_task(data, metric, limit, size, seed, read)
    shape = {"filters": filters, "cells": cells, "skeleton": skeleton}
    options = {k: v for k, v in shape.items() if v is not None}
    fidelity = Fidelity(epochs, skeleton={**entry.skeleton, **options})
    _check_buildable(space, answers, task, fidelity)
    # A search that has only a final stage: training, testing, weights and resuming are the same code.
    search = Search(
        space,
        "random",
        "train",
        task,
        seed=seed,
        device=choose_device(device),
        workers=1,
        final=Final(fidelity, top=1, baselines=()),
    )
    place = run or claim(f"{task.name}-{Path(architecture).stem}")
    run_search(search, place, {}, as_json, architecture=answers)


@app.command()
def resume(
    run: Run,
    budget: Annotated[str | None, typer.Option(help="A larger budget.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Continue an interrupted run, or a finished one under a larger budget."""
    from cambrian.architecture import Architecture
    from cambrian.search.result import Result
    from cambrian.search.search import Search

    facts = Result.open(run).facts
    # The run of `cambrian train` has recorded its architecture; it does not search.
    answers = Architecture.from_json(facts["train"]) if "train" in facts else None
    run_search(Search.resume(run, budget), run, facts.get("expected", {}), as_json, architecture=answers)


def _check_buildable(space: Space, architecture: Architecture, task: Task, fidelity: Fidelity) -> None:
    """Raise the error of `build` for a skeleton that does not make a network, before anything begins."""
    import torch

    with torch.device("meta"):  # shapes only: no weight is allocated
        space.build(architecture, task, **fidelity.skeleton)


def _check_unused(run: Path | None) -> None:
    """Refuse a directory that holds a run: a second plan measures anew, and would differ from the first."""
    if run is not None and (run / "ledger.sqlite").exists():
        raise UsageError(
            f"{run} holds a run already: go on with cambrian resume {shlex.quote(str(run))}, or name another"
            " directory"
        )


def _check_surrogate(name: str) -> None:
    from cambrian.predictors import PREDICTORS

    if name not in PREDICTORS.names():  # a known name is right without loading scikit-learn or torch
        PREDICTORS.parse(name)
