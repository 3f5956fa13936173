"""The numbers and the words of a CSV's rows: pixels as an array, labels and parts as they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import TRAIN
from cambrian.tasks.nouns import IMAGES
from cambrian.tasks.readers.csv_columns import Columns, part_of
from cambrian.tasks.readers.csv_text import DECIMAL_COMMA, NUMBER, Table, is_number
from cambrian.tasks.targets.label_values import find_missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,17})(\.0*)?", re.ASCII)
"""A whole number that 64 bits hold."""
LONG = re.compile(r"[+-]?(0|[1-9]\d*)", re.ASCII)
LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
MISSING = ("", "nan", "NaN", "<NA>")


@dataclass(frozen=True, eq=False)
class PixelRows:
    """`values` float32 [rows, pixels]; the cells of the columns that may be needed as text; line numbers."""

    values: NDArray[np.float32]
    texts: dict[int, list[str]]
    lines: list[int]


def read_pixels(table: Table, columns: Columns) -> PixelRows:
    """All rows. Raises DataError with the line of the first cell that is not a finite number."""
    pixels = columns.pixels
    # Any of the outer columns may turn out to be the label, which is text: 01 is another class than 1.
    kept = {columns.label, columns.split, *pixels[:3], *pixels[-1:]} - {None}
    texts: dict[int, list[str]] = {i: [] for i in kept if i is not None}
    values: list[NDArray[np.float32]] = []
    lines: list[int] = []
    for line, row in table.rows:
        cells = [row[i] for i in pixels]
        if len(cells) == 1:  # all pixels in one cell
            cells = cells[0].strip("[]").split()
        values.append(
            _numbers(
                f"{table.path}, line {line}", cells, len(values[0]) if values else len(cells), table.remedy
            )
        )
        lines.append(line)
        for column, column_texts in texts.items():
            column_texts.append(row[column])
    return PixelRows(np.stack(values), texts, lines)


def convert_labels(
    table: Table, lines: Sequence[int], cells: Sequence[str], noun: str = IMAGES
) -> NDArray[Any]:
    """Labels as numbers where all of them are, else as strings: 01, 02 and 10 are strings. `noun` is what has
    the labels."""
    empty = (i for i, cell in enumerate(cells) if cell in MISSING)
    wrong = next(chain(empty, find_missing(cells, noun)), None)
    if wrong is not None:
        raise DataError(f"{table.path}, line {lines[wrong]}: there is no label: write one, or remove the row")
    if all(map(INTEGER.fullmatch, cells)):
        return np.array([int(cell.partition(".")[0]) for cell in cells])
    if all(map(LONG.fullmatch, cells)):  # names, of which floats would make one of several
        return np.array(cells)
    if all(map(is_number, cells)) and not any(map(LEADING_ZERO.fullmatch, cells)):
        return np.array([float(cell) for cell in cells])
    return np.array(cells)


def parts_of(table: Table, lines: Sequence[int], cells: Sequence[str], column: int) -> NDArray[np.int8]:
    """The part that each cell names."""
    parts = [part_of(cell) for cell in cells]
    if None in parts:
        wrong = parts.index(None)
        raise DataError(
            f"{table.path}, line {lines[wrong]}: {cells[wrong]!r:.60} in {table.name(column)} is not a part: "
            "write train, validation or test, or give split=none"
        )
    return np.array(parts, np.int8)


def marks_of(table: Table, split: int | None, lines: Sequence[int], cells: Sequence[str]) -> NDArray[np.int8]:
    """The part of each row; all are for training where no column says so."""
    return np.full(len(lines), TRAIN, np.int8) if split is None else parts_of(table, lines, cells, split)


def as_integers(values: NDArray[np.float32]) -> NDArray[Any]:
    """Integers where all pixels are."""
    if not np.array_equal(values, np.floor(values)):
        return values
    grey = values.min() >= 0 and values.max() <= 255
    return values.astype(np.uint8 if grey else np.int64)


def _numbers(where: str, cells: Sequence[str], width: int, remedy: str) -> NDArray[np.float32]:
    if len(cells) != width:
        of_features = f"; of features, {remedy}" if width == 1 else ""  # an image has more than one pixel
        raise DataError(
            f"{where}: {len(cells)} pixels where {width} are expected: mend or remove the row{of_features}"
        )
    try:
        with np.errstate(over="ignore"):  # a number too large becomes infinite, and is refused below
            values = np.array(list(map(float, cells)), np.float32)
    except ValueError:
        wrong = next(cell for cell in cells if not _is_float(cell))  # slow, hence only now
        raise DataError(f"{where}: {wrong!r:.60} is not a number: {_mend(wrong, remedy)}") from None
    if not np.isfinite(values).all():
        wrong = cells[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise DataError(f"{where}: {wrong!r:.60} is not a finite number: mend or remove the row")
    return values


def _mend(cell: str, remedy: str) -> str:
    if DECIMAL_COMMA.fullmatch(cell):
        return f"write decimal commas as points, such as {cell.replace(',', '.')}"
    if NUMBER.fullmatch(cell.replace("_", "")):
        return "write it without underscores"
    return (
        "give every pixel a number, or name the columns that are not pixels with ignore=A,B; of features, "
        f"{remedy}"
    )


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
