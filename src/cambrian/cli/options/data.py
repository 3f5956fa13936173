"""The data of a command, and the option that overrides guesses about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cambrian.cli.listing import complete
from cambrian.cli.options.headings import DATA
from cambrian.cli.options.numbers import count

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

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
        help="What counts: accuracy, or balanced-accuracy, macro-f1, roc-auc, mcc or cohen-kappa where"
        " classes differ in size, or log-loss; of numbers r2, rmse, mae or mape; of several labels"
        " mean-average-precision, macro-f1 or roc-auc.",
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
Size = Annotated[int | None, count("Scale images to so many pixels a side.", rich_help_panel=DATA)]
Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="NAME=VALUE",
        help="Override a guess about your data, such as label=digit; may be given several times.",
        rich_help_panel=DATA,
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
        rich_help_panel=DATA,
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
