"""How much is searched and trained: the budget, the lengths of trainings, and the sizes of networks."""

from __future__ import annotations

from typing import Annotated

import typer

from cambrian.cli.options.headings import BUDGET, FINAL, SEARCHED
from cambrian.cli.options.numbers import count

BudgetText = Annotated[
    str | None,
    typer.Option(
        help="How long to search, final training included: a time, a number of networks to try, of"
        " epochs, or several: 30m, 2h, 200, 5000epochs, '200,30m' [default: as the data need].",
        show_default=False,
        rich_help_panel=BUDGET,
    ),
]
Levels = Annotated[
    int | None,
    count(
        "Grow networks up to so many blocks (progressive search: the paper's B).",
        rich_help_panel=SEARCHED,
    ),
]
Keep = Annotated[
    int | None,
    count("Train so many networks at each level after the first (the paper's K).", rich_help_panel=SEARCHED),
]
Epochs = Annotated[
    int | None,
    count("Train each network of the search for so many epochs.", rich_help_panel=BUDGET),
]
ImageCount = Annotated[
    int | None,
    count("Train each network of the search on so many images.", rich_help_panel=BUDGET),
]
Filters = Annotated[
    int | None, count("Filters of the first layers or cells during the search.", rich_help_panel=SEARCHED)
]
Cells = Annotated[int | None, count("Cells of a network during the search.", rich_help_panel=SEARCHED)]
FinalEpochs = Annotated[
    int | None, count("Train the final network for so many epochs.", rich_help_panel=FINAL)
]
FinalFilters = Annotated[int | None, count("Filters of the final network.", rich_help_panel=FINAL)]
FinalCells = Annotated[int | None, count("Cells of the final network.", rich_help_panel=FINAL)]
