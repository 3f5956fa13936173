"""Tables of the terminal: columns that say nothing are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOTHING = ("", "-", "0.0")
"""Cells that say nothing where the whole column has them: a search in a table has no sizes, takes no time."""


def make_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: str = "", caption: str = ""
) -> Any:
    """A rich table of the rows' texts, aligned right but for the columns `left` and those without a name."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, caption=caption or None, box=None, title_justify="left", header_style="dim")
    kept = [i for i in range(len(columns)) if any(row[i] not in NOTHING for row in rows)]
    for name in (columns[i] for i in kept):
        table.add_column(escape(name), justify="left" if name in (left, "") else "right")
    for row in rows:
        table.add_row(*(escape(row[i]) for i in kept))
    return table
