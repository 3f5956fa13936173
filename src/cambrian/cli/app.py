"""The typer application, and what all its commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cambrian.cli.output import give

if TYPE_CHECKING:
    from cambrian.outcome import Trial

__all__ = ["Json", "Minimize", "Run", "app", "give", "percent", "say", "value_text"]

app = typer.Typer(
    name="cambrian",
    help="Neural architecture search: bring data, a device and a budget; take home a trained network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
Run = Annotated[Path, typer.Argument(help="A run directory.", show_default=False)]


def say(text: object = "", *, to_json: bool = False) -> None:
    """A line for people; kept away from standard output where that carries JSON."""
    print(text, file=sys.stderr if to_json else sys.stdout, flush=True)


Minimize = Annotated[
    bool | None,
    typer.Option(
        "--minimize/--maximize",
        help="Tables: lower or higher is better [default: by the objective's name, else higher].",
        show_default=False,
    ),
]


def percent(value: float | None, absent: str = "-") -> str:
    """A share of 1 as people read it, other values as they are.

    >>> percent(0.98333), percent(3.25), percent(None)
    ('98.33 %', '3.25', '-')
    """
    if value is None:
        return absent
    return f"{100 * value:.2f} %" if 0 <= value <= 1 else f"{value:.4g}"


def value_text(trial: Trial | None, absent: str = "-") -> str:
    """The value of a trial: a share as people read it, or what is to be minimised as it is."""
    from cambrian.outcome import Done

    if trial is None or trial.value is None:
        return absent
    minimize = isinstance(trial.outcome, Done) and trial.outcome.minimize
    return f"{trial.value:.4g}" if minimize else percent(trial.value, absent)
