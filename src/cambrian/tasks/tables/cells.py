"""The cells of a table as numbers or words, and what begins the decimals of its numbers: a point or a comma,
of which the other one separates thousands.

1,5 and 1,234,567.5 can be read in one way, 3,108 in two, as 3108 and as 3.108. A column of such numbers is
read as the other columns of its table are. Where these do not say it either, a rule decides, whose outcome is
said, or the column is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.phrases import short

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>", "?", "-")
"""Cells without a value, in small letters."""

Decimal = Literal["point", "comma"]
Mark = Literal["", "point", "comma", "mixed"]
"""What begins the decimals of a column; of a mixed one a point or a comma, whichever a cell has. It is empty
where the table does not have commas in numbers."""

GROUPED: Mapping[str, re.Pattern[str]] = {
    "point": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", re.ASCII),
    "comma": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?", re.ASCII),
}
"""Numbers whose thousands are separated, by what begins their decimals."""
UNGROUPED = re.compile(r"[+-]?\d{1,3}", re.ASCII)
_MISSING = (np.nan,) * 3

Cells = Any
"""A sequence of cells, or an array of them."""


class Readings(NamedTuple):
    """A column's numbers, float64 [n] with nan where a cell is missing, by what begins their decimals; None
    where some cell is not a number then. `grouped` has by the same a cell whose thousands are separated.
    `bare`: some number has neither a comma nor a point; `long`: such a one has more than three digits."""

    point: NDArray[np.float64] | None
    comma: NDArray[np.float64] | None
    mixed: NDArray[np.float64] | None
    grouped: Mapping[str, str] = {}
    bare: bool = False
    long: bool = False

    @property
    def certain(self) -> Decimal | None:
        """What begins the decimals, where the cells say it."""
        if (self.point is None) == (self.comma is None):
            return None
        return "comma" if self.point is None else "point"

    @property
    def is_ambiguous(self) -> bool:
        return self.point is not None and self.comma is not None and bool(self.grouped)

    @property
    def example(self) -> str:
        """A cell of an ambiguous column that is two different numbers: 3,108 rather than 1.038."""
        return self.grouped.get("point") or self.grouped["comma"]

    def numbers(self, mark: Mark = "") -> NDArray[np.float64] | None:
        """The numbers, by `mark` where all cells are numbers by it; None where some cell is a word."""
        marked = {"point": self.point, "comma": self.comma, "mixed": self.mixed}.get(mark)
        return next((row for row in (marked, self.point, self.comma, self.mixed) if row is not None), None)


def read_both(cells: Cells) -> Readings:
    """The numbers of a column, in each way that they can be read."""
    array = np.asarray(cells)
    if array.dtype.kind in "uifb":
        numbers = _finite(array.astype(np.float64))
        return Readings(numbers, numbers, numbers)
    return _read_each(cells)


def _read_each(cells: Cells) -> Readings:
    """The same, cell by cell: of Python's values and words."""
    rows: list[tuple[float | None, ...]] = []
    possible, grouped = [True] * 3, dict[str, str]()
    bare = long = False
    for cell in cells:
        word = read_word(cell)
        if word is None:
            rows.append(_MISSING)
            continue
        # Numbers of Python have points, whatever the words beside them have.
        plain = isinstance(cell, int | float | np.number) or not ("," in word or "." in word)
        if plain or (not possible[1] and "," not in word):
            values: tuple[float | None, ...] = (_to_float(word),) * 3
            bare, long = bare or plain, long or (plain and UNGROUPED.fullmatch(word) is None)
        else:
            values = _read_signs(word)
            for mark, pattern in GROUPED.items():
                if mark not in grouped and pattern.fullmatch(word):
                    grouped[mark] = word
        if None in values:
            possible = [now and value is not None for now, value in zip(possible, values, strict=True)]
            if not any(possible):
                return Readings(None, None, None)
        rows.append(values)
    # None becomes nan, in ways that are not possible.
    table = np.array(rows, np.float64).reshape(-1, 3)
    point, comma, mixed = (_finite(table[:, way]) if possible[way] else None for way in range(3))
    return Readings(point, comma, mixed, grouped, bare, long)


def read_numbers(cells: Cells, mark: Mark = "") -> NDArray[np.float64] | None:
    """float64 [n], nan where a cell is missing; None where some cell is another word.

    >>> read_numbers(["1,5", "?"]), read_numbers(["1,234.5"]), read_numbers(["1", "one"])
    (array([1.5, nan]), array([1234.5]), None)
    """
    return read_both(cells).numbers(mark)


def find_wrong(cells: Cells) -> int:
    """The place of the cell by which a column is not one of numbers: a word, or a number that is written in
    another way than the others."""
    # As in the column: an array of a truth value alone is one of numbers, and True beside numbers is a word.
    alone = [_read_each([cell]) for cell in cells]
    words = (i for i, readings in enumerate(alone) if readings.numbers() is None)
    return next(chain(words, (i for i, readings in enumerate(alone) if readings.mixed is None)))


def read_word(cell: Any) -> str | None:
    """The cell as text; None where its value is missing. A whole float is written as an integer, since
    tables of numbers with gaps hold floats."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        cell = int(cell)
    try:
        text = str(cell).strip()
    except ValueError:  # a whole number of more digits than Python writes, which is beyond all floats too
        text = "inf"
    return None if text.lower() in MISSING else text


def find_marks(
    table: Mapping[str, Cells], where: str, separator: str | None = None, decimal: Decimal | None = None
) -> tuple[dict[str, Mark], tuple[str, ...]]:
    """What begins the decimals of each column, and a sentence for each that has separated thousands, or may
    have them. `separator` is that of the file's cells, None in memory; `decimal` is the answer for columns
    that can be read in two ways. Raises DataError for a column of which nothing says it."""
    columns = {name: read_both(cells) for name, cells in table.items()}
    certain = {readings.certain for readings in columns.values()} - {None}
    shared = decimal or (certain.pop() if len(certain) == 1 else None)
    marks: dict[str, Mark] = {}
    notes: tuple[str, ...] = ()
    for name, readings in columns.items():
        mark: Mark = readings.certain or ""
        if readings.is_ambiguous:
            mark = shared or _choose_mark(readings, where, name, separator)
        elif readings.point is None and readings.comma is None and readings.mixed is not None:
            mark = "mixed"
        marks[name] = mark
        notes += _describe_groups(readings, mark, where, name, separator)
    return _spread(columns, marks, decimal), notes


def refuse_ambiguous(readings: Readings, where: str, name: str) -> None:
    """Raise DataError for commas that can be read in two ways, in a column of which nothing is known."""
    if readings.is_ambiguous and "point" in readings.grouped:
        raise _doubt(readings, where, name, "write one of these")


def write_plainly(cells: Iterable[str], mark: Mark) -> list[str]:
    """The cells with decimal points, and without what separates thousands. Other words stay as they are.

    >>> write_plainly(["3,108", "922", "?"], "point"), write_plainly(["1.234,5", "2,5"], "comma")
    (['3108', '922', '?'], ['1234.5', '2.5'])
    """
    return [_write_cell(cell, mark) for cell in cells]


def _choose_mark(readings: Readings, where: str, name: str, separator: str | None) -> Decimal:
    """What begins the decimals of an ambiguous column of a table that does not say it elsewhere."""
    commas, points = ("point" in readings.grouped), ("comma" in readings.grouped)
    # Where some thousands are separated, all are: then a number without a sign has three digits at most.
    could_be_short = readings.bare and not readings.long
    if commas and not points and (separator == "," or could_be_short):
        return "point"
    # Programs write decimal points; where semicolons separate cells, the comma has another use.
    if points and not commas and (separator in (None, ",") or not could_be_short):
        return "point"
    remedy = "write one of these" if separator is None else "say which with decimal=point or decimal=comma"
    raise _doubt(readings, where, name, remedy)


def _doubt(readings: Readings, where: str, name: str, remedy: str) -> DataError:
    cell = readings.example
    ways = f"{_write_cell(cell, 'point')} or {_write_cell(cell, 'comma')}"
    return DataError(f"{where}: {short(cell)} in column {short(name)} may be {ways}: {remedy}")


def _describe_groups(
    readings: Readings, mark: Mark, where: str, name: str, separator: str | None
) -> tuple[str, ...]:
    """The sentence about a column whose thousands are separated, or may be."""
    if readings.is_ambiguous:
        cell = readings.example
        if mark == "point" and "." in cell and separator in (None, ","):
            return ()  # a decimal point, as nearly always
        other: Decimal = "comma" if mark == "point" else "point"
        remedy = "" if separator is None else f": decimal={other} takes it as {_write_cell(cell, other)}"
    elif (cell := readings.grouped.get(mark, "")) and readings.certain:
        remedy = ""
    else:
        return ()
    return (f"{where}: {short(cell)} in column {short(name)} is read as {_write_cell(cell, mark)}{remedy}",)


def _spread(
    columns: Mapping[str, Readings], marks: Mapping[str, Mark], decimal: Decimal | None
) -> dict[str, Mark]:
    """The marks, also of columns of numbers that do not have commas: rows to be predicted may have them."""
    separated = (m == "point" and m in columns[name].grouped for name, m in marks.items())
    if not (decimal or "comma" in marks.values() or any(separated)):
        return {name: "" if mark == "point" else mark for name, mark in marks.items()}
    decided = set(marks.values()) - {"", "mixed"}
    usual: Mark = decimal or (decided.pop() if len(decided) == 1 else "")
    return {name: mark or ("" if columns[name].point is None else usual) for name, mark in marks.items()}


def _write_cell(cell: str, mark: Mark) -> str:
    if mark in GROUPED and GROUPED[mark].fullmatch(cell):
        return cell.replace(",", "") if mark == "point" else cell.replace(".", "").replace(",", ".")
    return cell.replace(",", ".") if mark == "comma" and "." not in cell else cell


def _read_signs(word: str) -> tuple[float | None, float | None, float | None]:
    """The number whose decimals begin by a point, by a comma, and by either."""
    by_comma = _write_cell(word, "comma")
    # A point that does not separate thousands would begin decimals.
    comma = None if by_comma == word and "." in word else _to_float(by_comma)
    either = word.replace(",", ".") if word.count(",") == 1 else word
    return _to_float(_write_cell(word, "point")), comma, _to_float(either)


def _to_float(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(numbers), numbers, np.nan)
