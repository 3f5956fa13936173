"""Features: the columns of a table as numbers that a network can learn from.

Numbers are mapped to normal scores by their quantiles, which outliers cannot spoil (Gorishniy et al. 2021,
arXiv 2106.11959, Sec. 4.2); categories become one number each, 1 where the row has it (one-hot). Where a
number is missing stands the median, and a number more says so. A task keeps its columns, and so does an
exported network: rows to be predicted are encoded like those of the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cambrian.errors import DataError, did_you_mean
from cambrian.tasks.phrases import list_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>", "?", "-")
"""Cells without a value, in small letters."""
MOST_CATEGORIES = 100
"""Distinct words of a column up to which they are categories."""
KNOTS = 65
"""Quantiles of a column of numbers that are kept; between them its scores are interpolated."""
FEW = 10
"""Distinct numbers up to which they are kept as they are: they are counts or grades."""

Cells = Any
"""A sequence of cells, or an array of them."""


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column: its `categories`, or of a column of numbers the quantiles `knots` and their `scores`, both
    empty where numbers stay as they are, and the `fill` for missing ones. `flagged`: a number more says
    which are missing."""

    name: str
    categories: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    fill: float = 0.0
    flagged: bool = False

    @property
    def width(self) -> int:
        """The numbers that it becomes."""
        return len(self.categories) or 1 + self.flagged


def fit_columns(
    table: Mapping[str, Cells], where: str, categories: Sequence[str] = ()
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns of `table`, cells by the columns' names, and a sentence for those that are left out: words
    that hardly repeat, and columns of a single value. `categories` are columns of numbers that are
    categories. Raises DataError where no column is left."""
    for name in categories:
        if name not in table:
            raise DataError(f"{where}: no column {name!r:.60}{did_you_mean(name, table)}")
    fitted = {name: fit_column(name, cells, name in categories) for name, cells in table.items()}
    left = [name for name, column in fitted.items() if column is None]
    columns = tuple(column for column in fitted.values() if column is not None)
    if not columns:
        raise DataError(f"{where}: no column to learn from: {list_names(left)} hold one value, or words")
    if not left:
        return columns, ()
    named = "1 column is" if len(left) == 1 else f"{len(left)} columns are"
    reason = "a single value, or words that hardly repeat"
    return columns, (f"{where}: {named} not used, {list_names(left)}: {reason}",)


def fit_column(name: str, cells: Cells, category: bool = False) -> Column | None:
    """The column of these cells; None where nothing can be learned from it."""
    numbers = None if category else read_numbers(cells)
    if numbers is None:
        words = sorted({word for cell in cells if (word := read_word(cell)) is not None})
        few = len(words) <= min(MOST_CATEGORIES, max(2, len(cells) // 2))
        return Column(name, tuple(words)) if few and len(words) > 1 else None
    known = numbers[~np.isnan(numbers)]
    flagged = len(known) < len(numbers)
    if len(np.unique(known)) < 2 and not (flagged and len(known)):
        return None
    knots, scores = fit_scores(known)
    return Column(name, (), knots, scores, float(np.median(known)), flagged)


def fit_scores(known: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quantiles of the numbers, and the normal scores of their ranks; none for a few distinct numbers.

    >>> knots, scores = fit_scores(np.arange(1001.0))
    >>> knots[32], round(scores[32], 3), round(scores[48], 3)
    (500.0, 0.0, 0.674)
    """
    if len(np.unique(known)) <= FEW:
        return (), ()
    from scipy.special import ndtri

    knots = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS)))
    ordered = np.sort(known)
    # The middle rank of equal numbers, so that a number half the rows have stands in their middle.
    low, high = (np.searchsorted(ordered, knots, side) for side in ("left", "right"))
    ranks = (low + high) / 2 / len(ordered)
    scores = ndtri(np.clip(ranks, 0.5 / len(ordered), 1 - 0.5 / len(ordered)))
    return tuple(knots.tolist()), tuple(scores.tolist())


def encode(columns: Sequence[Column], table: Mapping[str, Cells], where: str) -> NDArray[np.float32]:
    """float32 [rows, features] of the table's cells. A category that no row of the training had is none of
    them. Raises DataError for a column that is missing, and for words where numbers are expected."""
    missing = [column.name for column in columns if column.name not in table]
    if missing:
        raise DataError(f"{where}: no column {missing[0]!r:.60}{did_you_mean(missing[0], table)}")
    parts = [_encode_column(column, table[column.name], where) for column in columns]
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


def read_numbers(cells: Cells) -> NDArray[np.float64] | None:
    """float64 [n], nan where a cell is missing; None where some cell is another word."""
    array = np.asarray(cells)
    if array.dtype.kind in "uifb":
        numbers = array.astype(np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    numbers = np.full(len(cells), np.nan)
    for n, cell in enumerate(cells):
        word = read_word(cell)
        if word is None:
            continue
        try:
            # A comma is a decimal point where only one stands in the cell.
            numbers[n] = float(word.replace(",", ".") if word.count(",") == 1 else word)
        except ValueError:
            return None
    return np.where(np.isfinite(numbers), numbers, np.nan)


def read_word(cell: Any) -> str | None:
    """The cell as text; None where its value is missing. A whole float is written as an integer, since
    tables of numbers with gaps hold floats."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        cell = int(cell)
    text = str(cell).strip()
    return None if text.lower() in MISSING else text


def _encode_column(column: Column, cells: Cells, where: str) -> NDArray[np.float32]:
    if column.categories:
        place = {word: n for n, word in enumerate(column.categories)}
        rows = np.array([place.get(read_word(cell) or "", -1) for cell in cells], np.int64)
        return np.asarray(rows[:, None] == np.arange(len(place)), np.float32)
    numbers = read_numbers(cells)
    if numbers is None:
        wrong = next(cell for cell in cells if read_numbers([cell]) is None)
        raise DataError(f"{where}: {wrong!r:.60} in column {column.name!r:.60} is not a number: mend the row")
    absent = np.isnan(numbers)
    numbers = np.where(absent, column.fill, numbers)
    if column.knots:
        numbers = np.interp(numbers, column.knots, column.scores)
    return np.stack([numbers, absent][: column.width], axis=1).astype(np.float32)
