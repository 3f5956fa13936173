"""The typer application, and what all its commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cambrian.cli.streams import documents

app = typer.Typer(
    name="cambrian",
    help="Neural architecture search: bring data, a device and a budget; take home a trained network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
Minimize = Annotated[
    bool | None,
    typer.Option(
        "--minimize/--maximize",
        help="Of a table of your own: lower, or higher, is better [default: higher].",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(help="A run directory.", show_default=False)]


def say(text: object = "", *, to_json: bool = False) -> None:
    """A line for people; kept away from standard output where that carries JSON."""
    print(text, file=sys.stderr if to_json else sys.stdout)


def give(value: Any) -> None:
    """A JSON document on standard output."""
    documents.write(value, default=_plain)


def stop(sentence: str, tell: Callable[[str], object], to_json: bool) -> None:
    """Say that Ctrl-C was heard, and how to go on."""
    tell(sentence)
    if to_json:
        give({"error": "Interrupted", "message": sentence})


def percent(value: float | None, absent: str = "-", share: bool = True) -> str:
    """A share of 1 as people read it, other values as they are.

    >>> percent(0.98333), percent(3.25), percent(None)
    ('98.33 %', '3.25', '-')
    """
    if value is None:
        return absent
    if not share:
        return f"{value:.4g}"
    return f"{100 * value:.2f} %" if 0 <= value <= 1 else f"{value:.4g}"


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "to_json"):
        return value.to_json()
    if hasattr(value, "__struct_fields__"):
        import msgspec

        from cambrian.codec import encode

        return msgspec.json.decode(encode(value))
    raise TypeError(f"{type(value).__name__} has no JSON form")
