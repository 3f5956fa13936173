"""`train` and `resume`: train a known network, and go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cambrian.cli.app import Json, Out, Run, app, say
from cambrian.cli.display.panels import FIND
from cambrian.cli.listing import complete
from cambrian.cli.options.data import Data, Limit, Metric, Read, Size, Target, load_task
from cambrian.cli.options.engines import Device, EngineName, OtherDevice, RayAddress, read_engine
from cambrian.cli.options.given import name_options, refuse_these
from cambrian.cli.options.numbers import count
from cambrian.cli.options.objectives import Choose
from cambrian.cli.options.run import Seed
from cambrian.cli.run_search import run_search

if TYPE_CHECKING:
    from cambrian.architecture import Architecture
    from cambrian.outcome import Fidelity
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


@app.command(rich_help_panel=FIND, epilog="cambrian train mobilenet-v2 path/to/images --epochs 30")
def train(
    architecture: Annotated[
        str,
        typer.Argument(
            help="A published network (cambrian list networks), a run, or a JSON file.",
            autocompletion=complete("networks"),
        ),
    ],
    data: Data = "digits",
    run: Out = None,
    epochs: Annotated[int, count("Epochs of training.")] = 15,
    filters: Annotated[int | None, count("Filters of the first cells.")] = None,
    cells: Annotated[int | None, count("Cells in all.")] = None,
    skeleton: Annotated[str | None, typer.Option(help="small, cifar, imagenet-mobile, ...")] = None,
    metric: Metric = None,
    limit: Limit = None,
    size: Size = None,
    read: Read = None,
    target: Target = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train one known network on your data and test it once.

    It is a published one, the best of a run, with its filters, or one of your own, as a JSON file."""
    from cambrian.cli.options.architectures import architecture_of
    from cambrian.outcome import Fidelity
    from cambrian.search.ledger.run_directory import check_apart, choose_place
    from cambrian.search.loop.final import Final
    from cambrian.search.search import Search

    check_apart(run, data)
    entry = architecture_of(architecture)
    space, answers = entry.space, entry.architecture
    task = load_task(data, metric, limit, size, seed, read, target)
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
        device=device,
        workers=1,
        final=Final(fidelity, top=1, baselines=()),
    )
    with choose_place(run, f"{task.name}-{Path(architecture).resolve().stem}") as place:
        run_search(search, place, {}, as_json, architecture=answers)


@app.command(
    rich_help_panel=FIND,
    epilog="cambrian resume runs/images-1\ncambrian resume runs/images-1 --budget 2h",
)
def resume(
    context: typer.Context,
    run: Run,
    budget: Annotated[
        str | None,
        typer.Option(
            help="A larger budget: 2h; where networks are counted 400, which a race does not do. One that is"
            " spent already ends the search, and its best network is trained.",
            show_default=False,
        ),
    ] = None,
    choose: Choose = None,
    engine: EngineName = None,
    ray_address: RayAddress = None,
    device: OtherDevice = None,
    as_json: Json = False,
) -> None:
    """Continue an interrupted run, or a finished one under a larger budget or with another choice; or end one
    early, by a smaller budget.

    Where its time is spent, a network that another choice names is trained in the final stage's share of the
    time, once more."""
    from cambrian.architecture import Architecture
    from cambrian.cli.display.resumed import explain_standstill
    from cambrian.search.result import Result
    from cambrian.search.search import Search

    before = Result.open(run)
    facts = before.facts
    # The run of `cambrian train` has recorded its architecture; it does not search.
    answers = Architecture.from_json(facts["train"]) if "train" in facts else None
    if answers is not None:
        refuse_these(context, ("choose",), "for a search, and this run trains one network that was named")
    begun = facts.get("engine", {}).get("on")
    with name_options(context):
        search = Search.resume(run, budget, choose, read_engine(engine, ray_address, begun), device)
    run_search(search, run, facts.get("expected", {}), as_json, architecture=answers)
    if budget is not None and (reason := explain_standstill(before, Result.open(run))):
        say(reason, to_json=as_json)


def _check_buildable(space: Space, architecture: Architecture, task: Task, fidelity: Fidelity) -> None:
    """Raise the error of `build` for a skeleton that does not make a network, before anything begins."""
    import torch

    with torch.device("meta"):  # shapes only: no weight is allocated
        space.build(architecture, task, **fidelity.skeleton)
