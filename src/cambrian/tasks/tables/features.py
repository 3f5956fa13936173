"""Features: the columns of a table as numbers that a network can learn from.

Numbers are mapped to normal scores by their quantiles, which outliers cannot spoil (Gorishniy et al. 2021,
arXiv 2106.11959, Sec. 4.2); categories become one number each, 1 where the row has it (one-hot). Where a
number is missing stands the median, and a number more says so. A task keeps its columns, and so does an
exported network: rows to be predicted are encoded like those of the training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cambrian.errors import DataError, did_you_mean
from cambrian.tasks.phrases import list_names, short
from cambrian.tasks.tables.cells import (
    Cells,
    Mark,
    find_wrong,
    read_both,
    read_numbers,
    read_word,
    refuse_ambiguous,
)
from cambrian.tasks.tables.unused_columns import MOST_CATEGORIES, describe_unused, group_reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

KNOTS = 65
"""Quantiles of a column of numbers that are kept; between them its scores are interpolated."""
FEW = 10
"""Distinct numbers up to which they are kept as they are: they are counts or grades."""
ROUNDED = 1e-3
"""The part of their range by which float32 may round a few numbers: seconds since 1970 would become one
number."""
NUMBER = re.compile(r"[+-]?(?!0\d)(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number, of which there are several ways to write it; 007 is a name."""
WHOLE = re.compile(r"0|-?[1-9]\d*", re.ASCII)


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column: its `categories`, or of a column of numbers the quantiles `knots` and their `scores`, both
    empty where numbers stay as they are, and the `fill` for missing ones. `flagged`: a number more says
    which are missing. `decimal` is what begins the decimals of numbers (see `cambrian.tasks.tables.cells`).
    """

    name: str
    categories: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    fill: float = 0.0
    flagged: bool = False
    decimal: Mark = ""

    @property
    def width(self) -> int:
        """The numbers that it becomes."""
        return len(self.categories) or 1 + self.flagged


def fit_columns(
    table: Mapping[str, Cells],
    where: str,
    categories: Sequence[str] = (),
    marks: Mapping[str, Mark] | None = None,
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns of `table`, cells by the columns' names, and sentences for those that are left out (see
    `describe_unused`). `categories` are columns of numbers that are
    categories, `marks` what begins the decimals of the others. Raises DataError where no column is left."""
    for name in categories:
        if name not in table:
            raise DataError(f"{where}: no column {name!r:.60}{did_you_mean(name, table)}")
    marks = marks or {}
    fitted = {
        name: fit_column(name, cells, name in categories, marks.get(name, ""))
        for name, cells in table.items()
    }
    left = [name for name, column in fitted.items() if column is None]
    columns = tuple(column for column in fitted.values() if column is not None)
    if not columns:
        held = "; ".join(f"{list_names(names)}: {why}" for why, names in group_reasons(table, left).items())
        raise DataError(f"{where}: no column to learn from: {held}")
    return columns, describe_unused(table, left, where)


def fit_column(name: str, cells: Cells, category: bool = False, mark: Mark = "") -> Column | None:
    """The column of these cells; None where nothing can be learned from it."""
    numbers = None if category else read_numbers(cells, mark)
    if numbers is None:
        present = [word for cell in cells if (word := read_word(cell)) is not None]
        words = sorted(_name_alike(set(present)))
        few = len(words) <= min(MOST_CATEGORIES, max(2, len(cells) // 2))
        # A box that is ticked or not is one word, and gaps.
        differ = len(words) > 1 or 0 < len(present) < len(cells)
        return Column(name, tuple(words)) if few and differ else None
    known = numbers[~np.isnan(numbers)]
    flagged = len(known) < len(numbers)
    if len(np.unique(known)) < 2 and not (flagged and len(known)):
        return None
    knots, scores = fit_scores(known)
    return Column(name, (), knots, scores, float(np.median(known)), flagged, mark)


def fit_scores(known: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quantiles of the numbers, and the normal scores of their ranks; none for a few distinct numbers. Where
    float32 would round the differences of these away, they are the knots, and the scores are their distances
    from the median, as parts of the range.

    >>> knots, scores = fit_scores(np.arange(1001.0))
    >>> knots[32], round(scores[32], 3), round(scores[48], 3)
    (500.0, 0.0, 0.674)
    >>> fit_scores(np.array([1.0, 2.0])), fit_scores(1.7e9 + np.array([0.0, 10.0, 40.0]))[1]
    (((), ()), (-0.25, 0.0, 0.75))
    """
    distinct = np.unique(known)
    if len(distinct) <= FEW:
        return ((), ()) if _survive_rounding(distinct) else _scale(distinct, float(np.median(known)))
    from scipy.special import ndtri

    knots = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS)))
    ordered = np.sort(known)
    # The middle rank of equal numbers, so that a number half the rows have stands in their middle.
    low, high = (np.searchsorted(ordered, knots, side) for side in ("left", "right"))
    ranks = (low + high) / 2 / len(ordered)
    scores = ndtri(np.clip(ranks, 0.5 / len(ordered), 1 - 0.5 / len(ordered)))
    return tuple(knots.tolist()), tuple(scores.tolist())


def _survive_rounding(distinct: NDArray[np.float64]) -> bool:
    """Whether float32 keeps these numbers apart."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        error = np.abs(distinct.astype(np.float32) - distinct).max()
    return bool(error <= ROUNDED * (distinct[-1] - distinct[0] or abs(distinct[0])))


def _scale(distinct: NDArray[np.float64], median: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    spread = distinct[-1] - distinct[0] or 1.0
    return tuple(distinct.tolist()), tuple(((distinct - median) / spread).tolist())


def encode(
    columns: Sequence[Column], table: Mapping[str, Cells], where: str, rows: Sequence[str] = ()
) -> NDArray[np.float32]:
    """float32 [rows, features] of the table's cells. A category that no row of the training had is none of
    them (see `find_unseen`). `rows` are what sentences call them, row 1, row 2, ... unless it says so. Raises
    DataError for a column that is missing, and for words where numbers are expected."""
    missing = [column.name for column in columns if column.name not in table]
    if missing:
        raise DataError(f"{where}: no column {missing[0]!r:.60}{did_you_mean(missing[0], table)}")
    parts = [_encode_column(column, table[column.name], where, rows) for column in columns]
    encoded: NDArray[np.float32] = np.concatenate(parts, axis=1, dtype=np.float32)
    return encoded


def count_features(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns)


def read_columns(facts: object) -> tuple[Column, ...]:
    """The columns that a task or an export has recorded. Raises DataError where they are damaged."""
    try:
        return msgspec.convert(facts, tuple[Column, ...])
    except msgspec.ValidationError as error:
        raise DataError(f"the columns of the table are damaged: {error}") from error


def describe_columns(columns: Sequence[Column]) -> str:
    """The columns in words.

    >>> describe_columns([Column("age"), Column("sex", ("f", "m"))])
    '2 columns: 1 of numbers, 1 of categories'
    """
    words = sum(bool(column.categories) for column in columns)
    kinds = [f"{len(columns) - words} of numbers"] * (words < len(columns)) + [f"{words} of categories"] * (
        words > 0
    )
    return f"{len(columns)} column{'s' * (len(columns) != 1)}: {', '.join(kinds)}"


def name_number(word: str) -> str | None:
    """The number as a table of numbers writes it; None where the word is not one.

    >>> name_number("1.0"), name_number("2.50"), name_number("01"), name_number("a")
    ('1', '2.5', None, None)
    """
    if not NUMBER.fullmatch(word):
        return None
    number = float(word)
    if WHOLE.fullmatch(word) or not np.isfinite(number):
        return word
    return str(int(number)) if number.is_integer() else repr(number)


def _name_alike(words: set[str]) -> set[str]:
    """The words; where all are numbers, each as a table of numbers writes it."""
    named = {name for word in words if (name := name_number(word)) is not None}
    return named if all(map(NUMBER.fullmatch, words)) else words


def _encode_column(column: Column, cells: Cells, where: str, rows: Sequence[str]) -> NDArray[np.float32]:
    if column.categories:
        places = find_categories(column.categories, cells)
        return np.asarray(places[:, None] == np.arange(len(column.categories)), np.float32)
    readings = read_both(cells)
    if not column.decimal and readings.is_ambiguous:
        row = next(i for i, cell in enumerate(cells) if read_word(cell) == readings.example)
        refuse_ambiguous(readings, f"{where}, {_name_row(rows, row)}", column.name)
    numbers = readings.numbers(column.decimal)
    if numbers is None:
        wrong = find_wrong(cells)
        raise DataError(
            f"{where}, {_name_row(rows, wrong)}: {str(cells[wrong])!r:.60} in column {short(column.name)} is"
            " not a number: mend the row"
        )
    absent = np.isnan(numbers)
    numbers = np.where(absent, column.fill, numbers)
    if column.knots:
        numbers = np.interp(numbers, column.knots, column.scores)
    return np.stack([numbers, absent][: column.width], axis=1).astype(np.float32)


def _name_row(rows: Sequence[str], row: int) -> str:
    return rows[row] if rows else f"row {row + 1}"


def find_categories(categories: Sequence[str], cells: Cells) -> NDArray[np.int64]:
    """int64 [n], -1 where a cell is none of the categories."""
    place = {word: n for n, word in enumerate(categories)}
    if all(map(NUMBER.fullmatch, categories)):
        numbers = {name_number(word): n for word, n in place.items()}
    else:
        numbers = {}
    words = [read_word(cell) or "" for cell in cells]
    found = {w: place[w] if w in place else numbers.get(name_number(w) or "", -1) for w in set(words)}
    return np.array([found[word] for word in words], np.int64)
