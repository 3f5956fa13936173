"""The data of a command, and the option that overrides guesses about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="NAME=VALUE",
        help="Override a guess about your data, such as label=digit; may be given several times.",
        rich_help_panel="Data",
    ),
]

Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="Learn this column of a .csv, a class or a number, or several as A,B, from the others, which are"
        " numbers and categories.",
        show_default=False,
        rich_help_panel="Data",
    ),
]


def load_task(
    data: str,
    metric: str | None,
    limit: int | None,
    size: int | None,
    seed: int,
    read: list[str] | None = None,
    target: str | None = None,
) -> Task:
    """The task of `data`, read with the options `read`, each NAME=VALUE; of a table's rows, where `target`
    names the column to learn."""
    from cambrian.tasks.loading import load, reader_of
    from cambrian.tasks.reading import parse_options, with_options

    # Apart from `load`, whose settings have options of their own and would be accepted here as well.
    named = [] if target is None else [f"target={target}"]
    reader = with_options(reader_of(data), parse_options([*(read or ()), *named]))
    return load(reader, metric=metric, limit=limit, size=size, seed=seed)
