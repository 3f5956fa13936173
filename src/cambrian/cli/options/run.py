"""The run of a search: its seed, who else is told of it, and its directory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cambrian.cli.options.headings import RUN
from cambrian.cli.options.numbers import count
from cambrian.errors import UsageError

Logs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="tensorboard|mlflow[:WHERE]|module:name",
        help="Tell another program of each trial too: tensorboard, into RUN/tensorboard or a folder in WHERE;"
        " mlflow, at the address WHERE or its own; or a logger of yours.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
Seed = Annotated[int, count("The same seed gives the same search.", least=0, rich_help_panel=RUN)]


def check_unused(run: Path | None) -> None:
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
