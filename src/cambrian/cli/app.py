"""The typer application, and the options and texts that its commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cambrian.cli.display.output import give
from cambrian.cli.display.panels import App, PanelGroup
from cambrian.errors import UsageError

__all__ = [
    "Depth",
    "Json",
    "Minimize",
    "Out",
    "Questions",
    "Replicates",
    "Run",
    "app",
    "give",
    "read_place",
    "say",
    "say_stopped",
]

app = App(
    name="cambrian",
    cls=PanelGroup,
    help="Find the best neural network for your data, your device and your time.",
    epilog="cambrian search path/to/images --budget 30m\ncambrian export runs/images-1 my-network",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is a fault of ours: it is shown as Python shows it
    rich_markup_mode=None,  # [default: ...] is text, not markup
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from cambrian import __version__

        print(f"cambrian {__version__}")
        raise typer.Exit


@app.callback()
def begin(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Find the best neural network for your data, your device and your time."""


def read_place(text: str) -> Path:
    """The path of a run directory. Raises UsageError for an empty text, which an unset variable of a shell
    leaves, and which would be the current directory."""
    if not text:
        raise UsageError("the name of a run directory is empty: give one, or . for the current directory")
    return Path(text)


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Run = Annotated[
    Path, typer.Argument(help="A run directory.", show_default=False, parser=read_place, metavar="RUN")
]

Out = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help="Directory to write to [default: runs/NAME-1, -2, ...].",
        parser=read_place,
        metavar="PATH",
        rich_help_panel="The run",
    ),
]


def say(text: object = "", *, to_json: bool = False) -> None:
    """A line for people; kept away from standard output where that carries JSON."""
    # Flushed, since a search prints a line in minutes and its output may be a pipe.
    print(text, file=sys.stderr if to_json else sys.stdout, flush=True)


Minimize = Annotated[
    bool | None,
    typer.Option(
        "--minimize/--maximize",
        help="For tables: lower or higher is better [default: by the objective's name, else higher].",
        show_default=False,
        rich_help_panel="What to search",
    ),
]


Questions = Annotated[
    str | None,
    typer.Option(
        help="For tables of your own: the columns that are questions, as a,b,c [default: guessed].",
        show_default=False,
        metavar="COLUMNS",
    ),
]
Depth = Annotated[
    str | None,
    typer.Option(
        help="For tables of your own: the question that says how large an architecture is.",
        show_default=False,
        metavar="COLUMN",
    ),
]
Replicates = Annotated[
    str | None,
    typer.Option(
        help="For tables of your own: rows with the same answers are measured as their mean, or as one of"
        " them that the seed draws.",
        show_default=False,
        metavar="mean|seed",
    ),
]


def say_stopped(sentence: str, tell: Callable[[str], object], to_json: bool) -> None:
    """Say that Ctrl-C has stopped the command, and how to go on."""
    tell(sentence)
    if to_json:
        give({"error": "Interrupted", "message": sentence})
