"""The text of a CSV as rows: the sign that separates cells, and whether the first row is a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import TextIO

from cambrian.errors import DataError
from cambrian.tasks.images.decoding import SUFFIXES
from cambrian.tasks.phrases import list_names, reason
from cambrian.tasks.readers.csv_files import are_files
from cambrian.tasks.tables.table_form import TableForm

SAMPLE = 500  # rows by which columns are told apart
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "bar": "|"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
QUOTED = re.compile(r'(?<![^\t;|, ])"(?:[^"]|"")*"')  # a text that begins a cell
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
FEW_COLUMNS = 12  # up to which words without an ending may be names of files
NUMBERED = 10  # columns from which on a first row that counts up is a header, not an image

Row = tuple[int, list[str]]  # with the line it ends on, counted from 1


@dataclass(frozen=True, eq=False)
class Table:
    """`header` has a name for each column, or is None; `sample` are the first rows; `rows` are all, which
    come as they are read: their text would take many times the memory of the pixels."""

    path: Path
    header: list[str] | None
    sample: list[list[str]]
    rows: Iterator[Row]
    notes: tuple[str, ...]
    separator: str
    asked: str | None = None
    """The separator that the user named."""

    @property
    def width(self) -> int:
        return len(self.sample[0])

    @property
    def names(self) -> list[str]:
        """A name for each column, which no other one has: that of the header, else its number. Of several
        columns of one name the second is NAME.1, as pandas calls it."""
        names: dict[str, None] = {}  # in order
        header = set(self.header or ())
        for column in range(self.width):
            name = (self.header[column] if self.header else "") or str(column)
            if name in names:
                others = (f"{name}.{n}" for n in count(1))
                name = next(other for other in others if other not in names and other not in header)
            names[name] = None
        return list(names)

    def name(self, column: int) -> str:
        """The column's name in sentences."""
        named = self.header is not None and self.header[column]
        return (
            f"column {column} ({self.header[column]!r:.60})" if named and self.header else f"column {column}"
        )

    @property
    def remedy(self) -> str:
        """What to do where the rows are neither images nor names of image files."""
        names = (
            f"the columns are {list_names(self.header)}" if self.header else f"there are {self.width} columns"
        )
        return f"name the column to learn with target=NAME (--target NAME): {names}"

    def form(self, targets: Sequence[int]) -> TableForm:
        """What has to be known to read further rows, where the columns `targets` are to be learned."""
        if self.header is not None:
            return TableForm("yes", self.asked)
        return TableForm("no", self.asked, self.width, tuple(targets))


def read_table(path: Path, separator: str | None, header: str | None) -> Table:
    """The rows of the file. `separator` is a character or one of SEPARATORS, `header` yes or no; None is a
    guess."""
    if separator and separator not in SEPARATORS and len(separator) != 1:
        valid = ", ".join(SEPARATORS)
        raise DataError(f"separator={separator!r:.40}: expected one character, or one of {valid}")
    rows = _rows(path, separator)
    first = list(islice(rows, SAMPLE + 1))  # one more, which may be the header
    if not first or not (first[1:] or not is_header(path, [row for _, row in first], header)):
        raise DataError(
            f"{path}: there are no rows: expected one example per row, such as a label and its pixels"
        )
    texts = [row for _, row in first]
    names, notes, body = None, tuple[str, ...](), first
    if is_header(path, texts, header):
        names, body = texts[0], first[1:]
        notes = _remark(path, names, header)
        names = _as_wide(names, body[0][1])
    width = len(names or body[0][1])
    # `rows` is used up by as many as the sample took: these come first again.
    sample = [row for _, row in _even(path, body, width)]
    return Table(
        path,
        names,
        sample,
        _even(path, chain(body, rows), width),
        notes,
        _find_separator(path, separator),
        separator,
    )


def is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def is_file_name(cell: str) -> bool:
    return Path(cell).suffix.lower() in SUFFIXES


def is_header(path: Path, rows: list[list[str]], header: str | None) -> bool:
    """Whether the first row names the columns: it has no number, or its numbers count up."""
    if header is not None:
        return header == "yes"
    first, *others = rows
    numbers = [cell for cell in first if is_number(cell)]
    if any(map(is_file_name, first)):  # a header names columns, not files
        return False
    # Words alone are names of columns, unless they are names of files without their endings.
    if not numbers:
        return len(first) > FEW_COLUMNS or not are_files(path, first)
    return _counts_up(numbers) and (len(numbers) >= NUMBERED or _unlike(first, others))


def _counts_up(cells: list[str]) -> bool:
    """Whether these are the numbers that pandas gives to columns without names."""
    return cells in ([str(i) for i in range(start, start + len(cells))] for start in (0, 1))


def _unlike(first: list[str], others: list[list[str]]) -> bool:
    """Whether a column has a number in the first row, and words or names of files below."""
    below = [row for row in others if len(row) == len(first)]
    columns = [[row[i] for row in below] for i, cell in enumerate(first) if is_number(cell)]
    return any(
        any(map(is_file_name, cells)) or (len(cells) > 2 and not any(map(is_number, cells)))
        for cells in columns
    )


def _remark(path: Path, names: list[str], header: str | None) -> tuple[str, ...]:
    if header is not None or not any(map(is_number, names)):
        return ()
    return (f"{path}: the first row, which counts up, is taken as a header: header=no takes it as an image",)


def _as_wide(names: list[str], row: list[str]) -> list[str]:
    """R writes no name above the names of rows, and some programs a separator at the end of each row."""
    if len(row) != len(names) + 1:
        return names
    return [*names, ""] if row[-1] == "" else ["", *names]


def _find_separator(path: Path, separator: str | None) -> str:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return SEPARATORS.get(separator or "", separator) or _separator(file)


def _rows(path: Path, separator: str | None) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # -sig: a byte order mark is not content
            delimiter = SEPARATORS.get(separator or "", separator) or _separator(file)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\t")
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    if reader.line_num == 1:
                        cells[0] = cells[0].lstrip("# ")  # as numpy.savetxt writes
                    yield reader.line_num, cells
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {reason(error)}") from error
    except (ValueError, csv.Error) as error:  # ValueError: not UTF-8, or not a separator
        raise DataError(
            f"{path}: cannot be read as UTF-8 CSV ({reason(error)}): save it again as such"
        ) from error


def _separator(file: TextIO) -> str:
    """The sign that occurs equally often in the first lines; of several, not the comma, which may be in
    numbers."""
    lines = [line for line in islice(file, 6) if line.strip()]
    declared = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE) if lines else None  # as Excel writes
    file.seek(0)
    if declared:
        file.readline()
        return declared[1]
    candidates = sorted(SEPARATORS.values(), key=",".__eq__)
    lines = [QUOTED.sub("", line) for line in lines]  # a sign within quotes separates nothing
    counts = {c: {line.count(c) for line in lines} for c in candidates}
    even = [c for c, times in counts.items() if len(times) == 1 and times != {0}]
    # Text may hold any of them: then the most frequent in the first line, the comma at a tie.
    return even[0] if even else max(reversed(candidates), key=(lines or [""])[0].count)


def _even(path: Path, rows: Iterable[Row], width: int) -> Iterator[Row]:
    for line, row in rows:
        if len(row) != width:
            raise DataError(
                f"{path}, line {line}: {len(row)} columns where {width} are expected: mend or remove the row"
            )
        yield line, row
