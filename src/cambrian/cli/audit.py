"""`audit`: does a cheap measurement rank architectures rightly, and what does it save?"""

from __future__ import annotations

import shlex
from collections.abc import Callable
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
from cambrian.cli.display.panels import COMPARE, PanelCommand
from cambrian.cli.listing import complete
from cambrian.cli.options.data import Limit, Metric, Read, Size, Target, load_task
from cambrian.cli.options.given import refuse_others, refuse_these
from cambrian.cli.options.numbers import count
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.audits.audit import Audit

SHORTCUTS = "--shortcuts"
AUDITED, LIVE, MACHINE = "What to audit", "With training", "Machine"
"""Panels of options in the help."""
TRAINS = ("space", "truth", "metric", "target", "limit", "size", "read")
"""The parameters that shape live training, or its data."""
BUSY = ("workers", "device")
"""The parameters that say where networks are measured."""
COLUMNS = ("minimize", "questions", "depth", "replicates")
"""The parameters that say how a table of the user's own is read."""


class ManyShortcuts(PanelCommand):
    """A command whose `--shortcuts` takes all texts up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return list(super().parse_args(ctx, repeat_option(args, SHORTCUTS)))


def repeat_option(args: list[str], option: str) -> list[str]:
    """The arguments with the option before each of the texts that follow it.

    >>> repeat_option(["digits", "--shortcuts", "a", "b", "--sample", "9"], "--shortcuts")
    ['digits', '--shortcuts', 'a', '--shortcuts', 'b', '--sample', '9']
    """
    repeated: list[str] = []
    within = False
    for place, text in enumerate(args):
        # The first text is the option's own: one before it is there already.
        first = place > 0 and args[place - 1] == option
        within = text == option or (within and not text.startswith("--"))
        repeated += [text] if text == option or first or not within else [option, text]
    return repeated


@app.command(
    cls=ManyShortcuts,
    rich_help_panel=COMPARE,
    epilog='cambrian audit digits --space stages --shortcuts "train(epochs=2)" synflow --sample 30\n'
    "cambrian audit --benchmark nb201-cifar10 --sample 200",
)
def audit(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(
            help="Your data, as for search; beside --benchmark, those that its networks were trained on.",
            autocompletion=complete("data"),
            show_default=False,
        ),
    ] = None,
    shortcuts: Annotated[
        list[str] | None,
        typer.Option(
            SHORTCUTS,
            metavar="SHORTCUT...",
            help="Such as 'train(epochs=2)' 'train(fraction=0.1)' 'train(filters=4)' 'train(resolution=8)'"
            " 'inherited(epochs=1)' 'one-shot(epochs=5)' synflow 'zen(repeats=4)'; of a table, its epochs and"
            " columns [default: a tenth and a quarter of the epochs, a tenth of the data, three proxies].",
            show_default=False,
            rich_help_panel=AUDITED,
        ),
    ] = None,
    sample: Annotated[int, count("Architectures, a stratified sample.", rich_help_panel=AUDITED)] = 30,
    twice: Annotated[
        int | None,
        count(
            "Train so many of them a second time, for the noise ceiling [default: one in six].",
            least=0,
            rich_help_panel=AUDITED,
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Look trainings up in a table: a name, or one of your own, .csv or .npz.",
            autocompletion=complete("benchmarks"),
            rich_help_panel=AUDITED,
        ),
    ] = None,
    minimize: Minimize = None,
    questions: Questions = None,
    depth: Depth = None,
    replicates: Replicates = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="The full training [default: train(epochs=20)].", show_default=False, rich_help_panel=LIVE
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="The search space [default: pnas].",
            show_default=False,
            autocompletion=complete("spaces"),
            rich_help_panel=LIVE,
        ),
    ] = None,
    metric: Metric = None,
    target: Target = None,
    limit: Limit = None,
    size: Size = None,
    read: Read = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            help="Directory to write to, or to go on in [default: runs/audit-NAME-1, -2, ...].",
            parser=read_place,
            metavar="PATH",
        ),
    ] = None,
    seed: Annotated[int, count("The same seed gives the same sample.", least=0)] = 0,
    workers: Annotated[
        int | None,
        count("Trainings at a time [default: the cores, or the GPUs].", rich_help_panel=MACHINE),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=MACHINE)] = "auto",
    as_json: Json = False,
) -> None:
    """Measure whether cheap estimates of networks rank them as full trainings do.

    A sample of the space is trained in full once, and measured by each shortcut. After an interruption, --run
    DIRECTORY alone goes on; with more shortcuts, only those are measured."""
    from cambrian.audits import entrance
    from cambrian.audits.audit import check_sample
    from cambrian.search.ledger.run_directory import check_apart, choose_place
    from cambrian.spec_text import parts

    texts = None if shortcuts is None else [each for text in shortcuts for each in parts(text)]
    machine: dict[str, Any] = {"workers": workers, "device": device}
    if data is None and benchmark is None:
        if run is None:
            raise UsageError("give DATA, --benchmark NAME, or --run of an audit to go on with")
        refuse_others(
            context,
            ("run", "shortcuts", "workers", "device", "as_json"),
            "for a new audit, and --run alone goes on with the settings that it has",
        )
        _present(run, as_json, lambda **more: entrance.resume(run, texts, **machine, **more))
        return
    if data is not None:
        check_apart(run, data)
    check_sample(sample)  # before a directory is made
    task = None if data is None else load_task(data, metric, limit, size, 0, read, target)
    if benchmark is None:
        refuse_these(context, COLUMNS, "for --benchmark with a table of your own")
        chosen: dict[str, Any] = {"space": space or "pnas", "truth": truth or entrance.TRUTH}
    else:
        unread = ("space", "truth") if data is not None else (*TRAINS, *BUSY)
        refuse_these(context, unread, "for live training, which --benchmark is not")
        chosen = {"benchmark": TableOptions(benchmark, minimize, questions, depth, replicates).open()}
    name = task.name if task is not None and benchmark is None else Path(str(benchmark)).stem
    entrance.check_shortcuts(task, texts, **chosen)
    with choose_place(run, f"audit-{name}") as place:
        _present(
            place,
            as_json,
            lambda **more: entrance.audit(
                task,
                shortcuts=texts,
                sample=sample,
                twice=twice,
                directory=place,
                seed=seed,
                **chosen,
                **machine,
                **more,
            ),
        )


def _present(place: Path, as_json: bool, play: Callable[..., Audit]) -> None:
    """Run the audit with a display on standard error, write its files, and print the figures."""
    from rich.console import Console

    from cambrian.audits.figures import facts
    from cambrian.audits.page import write_all
    from cambrian.cli.display.audit import print_audit, watch_audit

    console = Console(stderr=True)
    tell = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    tell(f"run: {place}")
    try:
        with watch_audit(console) as watch:
            audited = play(watch=watch, tell=tell)
    except KeyboardInterrupt:
        say_stopped(f"stopped; go on with: cambrian audit --run {shlex.quote(str(place))}", tell, as_json)
        raise
    paths = write_all(audited, place)
    if as_json:
        give(facts(audited))
        return
    print_audit(audited)
    say(f"wrote {', '.join(path.name for path in paths)} into {place}")
