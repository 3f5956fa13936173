"""The columns of a CSV that say which rows belong together, or in which order they were written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cambrian.errors import DataError
from cambrian.tasks.blocks import choose_blocks
from cambrian.tasks.examples import Blocks
from cambrian.tasks.phrases import short
from cambrian.tasks.readers.csv_columns import find_column
from cambrian.tasks.readers.csv_text import Table
from cambrian.tasks.tables.cells import Decimal


def find_blocks(table: Table, group: str | int | None, order: str | int | None) -> dict[str, int]:
    """The columns that are given, by the options `group` and `order`."""
    given = {"group": group, "order": order}
    return {option: find_column(table, column) for option, column in given.items() if column is not None}


def read_blocks(
    table: Table,
    columns: Mapping[str, int],
    lines: Sequence[int],
    rows: Sequence[Sequence[str]],
    decimal: Decimal | None = None,
) -> Blocks | None:
    """The blocks of the rows, which stand in these lines; None where no column is given. `decimal` begins
    the decimals of numbers that can be read in two ways."""
    cells = {option: [row[i] for row in rows] for option, i in columns.items()}
    what = {option: short(table.names[i]) for option, i in columns.items()}
    return choose_blocks(what, cells, lambda i: f"{table.path}, line {lines[i]}", decimal or "")


def refuse_learned(table: Table, columns: Mapping[str, int], targets: Sequence[int]) -> None:
    """Raises DataError where a column that is learned says how parts are drawn."""
    for option, i in columns.items():
        if i in targets:
            raise DataError(f"{table.path}: {table.name(i)} is learned, and {option}= names another column")
