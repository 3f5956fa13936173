"""`compare`: which strategy is better, from which budget on, how surely."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cambrian.cli.app import (
    Depth,
    Json,
    Minimize,
    Questions,
    Replicates,
    app,
    give,
    read_place,
    say,
    say_stopped,
)
from cambrian.cli.benchmark_search import TableOptions
from cambrian.cli.display.panels import COMPARE
from cambrian.cli.listing import complete
from cambrian.cli.options.data import Limit, Metric, Read, Size, Target, load_task
from cambrian.cli.options.given import refuse, refuse_these
from cambrian.cli.options.numbers import amount, count, share
from cambrian.errors import UsageError
from cambrian.search.parts.devices import count_cores

if TYPE_CHECKING:
    from cambrian.referee.comparison import Comparison
    from cambrian.referee.contest_protocol import Contest

CORES = count_cores()
RIVALS = "progressive,evolution,reinforce,random"
PLAYED, LIVE, MACHINE = "What to compare", "With training", "Machine"
"""Panels of options in the help."""
TRAINS = ("space", "epochs", "filters", "cells", "metric", "target", "limit", "size", "read", "device")
"""The parameters that shape live training."""
COLUMNS = ("questions", "depth", "replicates")
"""The parameters that say how a table of the user's own is read."""
SMALL = {"filters": 8, "cells": 2}
"""The skeleton in which cells of the PNAS space are compared by default."""


@app.command(
    rich_help_panel=COMPARE,
    epilog="cambrian compare --benchmark nb201-cifar10 --strategies bayes,evolution,random",
)
def compare(
    context: typer.Context,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Compare on a table: a name such as nb201-cifar10, or one of your own, .csv or .npz.",
            autocompletion=complete("benchmarks"),
            rich_help_panel=PLAYED,
        ),
    ] = None,
    minimize: Minimize = None,
    questions: Questions = None,
    depth: Depth = None,
    replicates: Replicates = None,
    task: Annotated[
        str | None,
        typer.Option(help="Train networks instead: digits, or a path to data.", rich_help_panel=LIVE),
    ] = None,
    strategies: Annotated[
        str | None,
        typer.Option(
            help=f"Such as 'evolution,progressive(keep=32),ppo(paper)' [default: {RIVALS}].",
            rich_help_panel=PLAYED,
        ),
    ] = None,
    seeds: Annotated[
        int | None, count("Searches by each strategy [default: 30].", rich_help_panel=PLAYED)
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Evaluations of each search, or epochs: 20000epochs [default: 300].",
            rich_help_panel=PLAYED,
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            help="Directory to write to [default: runs/compare-NAME-1, -2, ...].",
            parser=read_place,
            metavar="PATH",
        ),
    ] = None,
    workers: Annotated[int, count("Searches at a time.", rich_help_panel=MACHINE)] = CORES,
    margin: Annotated[
        float | None,
        share(
            "Non-inferiority margin: worse by less is not inferior [default: 0.05].", rich_help_panel=PLAYED
        ),
    ] = None,
    cost: Annotated[
        float | None,
        amount("Seconds of an evaluation, for tables without times.", rich_help_panel=PLAYED),
    ] = None,
    space: Annotated[
        str,
        typer.Option(help="The search space.", autocompletion=complete("spaces"), rich_help_panel=LIVE),
    ] = "pnas",
    epochs: Annotated[int, count("Train each network for so many epochs.", rich_help_panel=LIVE)] = 4,
    filters: Annotated[int | None, count("Filters of the first cells.", rich_help_panel=LIVE)] = None,
    cells: Annotated[int | None, count("Cells of a network.", rich_help_panel=LIVE)] = None,
    metric: Metric = None,
    target: Target = None,
    limit: Limit = None,
    size: Size = None,
    read: Read = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=MACHINE)] = "cpu",
    as_json: Json = False,
) -> None:
    """Compare search strategies on a table of results, or by training networks.

    After an interruption, --run DIRECTORY alone goes on; the whole command with more seeds or strategies
    adds to it."""
    from cambrian.referee import comparison as referee
    from cambrian.referee.contenders import contenders
    from cambrian.search.ledger.run_directory import choose_place
    from cambrian.search.parts.devices import choose_device

    if benchmark is not None and task is not None:
        raise UsageError("give --benchmark for a table or --task for live training, not both")
    tell = partial(say, to_json=True)  # on standard error, before hours of searches
    # With --run alone the comparison goes on as it was begun: its directory holds every setting.
    if benchmark is None and task is None:
        if run is None:
            raise UsageError("give --benchmark NAME, --task DATA, or --run of a comparison to go on with")
        refuse_these(context, TRAINS, "for --task, and --run alone goes on with the settings that it has")
        refuse_these(context, COLUMNS, "for --benchmark with a table of your own")
        _alone(strategies=strategies, seeds=seeds, budget=budget, margin=margin, cost=cost, minimize=minimize)
        _present(run, as_json, partial(referee.resume, run, workers=workers, tell=tell))
        return
    contenders(_or(strategies, RIVALS))  # before data are read: a wrong name is refused at once
    # Defaults are filled in here, not by typer: `_alone` has to know which options the user gave.
    table: Contest | None = None
    if benchmark is not None:
        refuse_these(context, TRAINS, "for live training with --task, which --benchmark is not")
        columns = TableOptions(benchmark, minimize, questions, depth, replicates)
        table, name = _table(columns, _or(budget, "300"), cost), Path(benchmark).stem
    else:
        if minimize is not None:
            raise UsageError("--minimize and --maximize are for --benchmark: the metric says which is better")
        refuse_these(context, COLUMNS, "for --benchmark with a table of your own")
        refuse_these(context, ("cost",), "for --benchmark: live training measures its times")
        # One data seed: the searches share their trials, hence the split.
        data = load_task(str(task), metric, limit, size, 0, read, target)
        chosen, name = choose_device(device), data.name
    with choose_place(run, f"compare-{name}") as place:
        contest = table or _live(data, _or(budget, "300"), place, space, epochs, filters, cells, chosen)
        _present(
            place,
            as_json,
            partial(
                referee.compare,
                contest,
                _or(strategies, RIVALS),
                seeds=_or(seeds, 30),
                directory=place,
                workers=workers,
                margin=_or(margin, 0.05),
                tell=tell,
            ),
        )


def _alone(**options: Any) -> None:
    """Refuse options beside --run: the comparison goes on with its own settings, and would ignore them."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"--{name} changes what is compared: give --benchmark or --task too, or --run alone to go on"
            )


def _or(given: Any, usual: Any) -> Any:
    return usual if given is None else given


def _table(options: TableOptions, budget: str, cost: float | None) -> Contest:
    from cambrian.referee.contest import OnBenchmark

    chosen = options.open()
    if cost is not None and chosen.timed:
        refuse(["--cost"], f"for tables without times, and {chosen.name} has them")
    return OnBenchmark.of(chosen, budget, options.name, cost, options.read_columns())


def _live(
    data: Any,
    budget: str,
    place: Path,
    space: str,
    epochs: int,
    filters: int | None,
    cells: int | None,
    device: str,
) -> Contest:
    from cambrian.outcome import Fidelity
    from cambrian.referee.contest import OnTraining
    from cambrian.referee.contest_protocol import read_counts

    shape: dict[str, Any] = {name: n for name, n in (("filters", filters), ("cells", cells)) if n is not None}
    # Other spaces name the settings of their skeletons differently, and have small defaults.
    skeleton = {**(SMALL if space == "pnas" else {}), **shape}
    fidelity = Fidelity(epochs, skeleton=skeleton)
    limit = read_counts(budget, fidelity)
    return OnTraining(data, limit[0], place, fidelity, space, "train", device, limit[1])


def _present(place: Path, as_json: bool, play: Any) -> None:
    """Run the comparison with a display on standard error, write its files, and print the verdict."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cambrian.referee.figures import facts, plainly
    from cambrian.referee.page import write_all

    console = Console(stderr=True)
    tell = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    columns = (TextColumn("searches"), BarColumn(bar_width=32), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("searches")
            comparison = play(
                watch=lambda line, done, total: progress.update(bar, completed=done, total=total),
                begin=lambda: tell(f"run: {place}"),
            )
    except KeyboardInterrupt:
        say_stopped(f"stopped; go on with: cambrian compare --run {shlex.quote(str(place))}", tell, as_json)
        raise
    paths = write_all(comparison, place)
    if as_json:
        give(plainly(facts(comparison)))
        return
    _say(comparison)
    say(f"wrote {', '.join(path.name for path in paths)} into {place}")


def _say(comparison: Comparison) -> None:
    from rich.table import Table

    from cambrian.cli.display.tables import print_table
    from cambrian.referee.page import standings_table

    header, rows = standings_table(comparison)
    contest = comparison.contest
    spent = f"{contest.budget} evaluations" if contest.epochs is None else f"{contest.epochs:,.0f} epochs"
    title = f"{contest.title}: {spent}, {comparison.seeds} seeds"
    table = Table(title=title, box=None, title_justify="left", header_style="dim", padding=(0, 1, 0, 0))
    # Words may wrap in a narrow terminal; a number that wraps is another number.
    for name in header:
        words = name in ("strategy", "ended early")
        table.add_column(name, justify="left" if words else "right", no_wrap=not words)
    for row in rows:
        table.add_row(*row)
    print_table(table)
    for sentence in comparison.verdict:
        say(sentence)
    if comparison.timed_verdict:
        say("At equal times: " + " ".join(comparison.timed_verdict))
