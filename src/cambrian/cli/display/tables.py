"""Tables of the terminal: columns that say nothing are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOTHING = ("", "-", "0.0")
"""Cells that say nothing where the whole column has them: a search in a table has no sizes, takes no time."""

WIDEST = 10_000
"""Characters of a line beyond which no table goes."""


def make_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: str = "", caption: str = ""
) -> Any:
    """A rich table of the rows' texts, aligned right but for the columns `left` and those without a name."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, caption=caption or None, box=None, title_justify="left", header_style="dim")
    kept = [i for i in range(len(columns)) if any(row[i] not in NOTHING for row in rows)]
    for name in (columns[i] for i in kept):
        words = name in (left, "")
        # Words may wrap in a narrow terminal; a number that wraps is another number.
        table.add_column(escape(name), justify="left" if words else "right", no_wrap=not words)
    for row in rows:
        table.add_row(*(escape(row[i]) for i in kept))
    return table


def print_table(table: Any) -> None:
    """Print a rich table as wide as its numbers and its longest words need, in a narrower terminal too: rich
    would cut cells off, and leave whole columns out."""
    from rich.console import Console

    console = Console()
    anywhere = console.options.update_width(WIDEST)  # measured within a terminal, it would always fit
    for column in table.columns:
        if column.no_wrap:  # of which rich takes the longest word for the least width, and 9.38 % has two
            cells = (column.header, *column.cells)
            column.min_width = max(console.measure(cell, options=anywhere).maximum for cell in cells)
    console.width = max(console.width, console.measure(table, options=anywhere).minimum)
    console.print(table)
