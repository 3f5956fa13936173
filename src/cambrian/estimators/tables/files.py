"""A user's table of results: a `.csv` with a header, or an `.npz` of arrays of one length. Each question has
a column, named by its path and empty where the question was not asked; a column of graphs has several (see
`cambrian.estimators.tables.graphs`); the other columns are metrics."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import DataError
from cambrian.estimators.tables.graphs import split_graphs
from cambrian.estimators.tables.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".csv", ".npz")
FORMATS = "tables are read from .csv files with a header and from .npz files of columns (numpy.savez)"
ABSENT = ""
SEPARATORS = (",", ";", "\t", "|")

Key = tuple[tuple[str, ...], tuple[str, ...]]  # paths, and the answers to them


def read(name: str, questions: tuple[str, ...] = ()) -> Table:
    """The table in a file. Columns of numbers alone are read as numbers, NaN where empty. `questions` are
    needed if not every architecture is asked all of them. Raises DataError naming the file and its fault."""
    path = Path(name)
    if path.suffix not in SUFFIXES:
        raise DataError(f"cannot read the table {name}: {FORMATS}")
    if not path.is_file():
        raise DataError(f"there is no table {name}: give the path of a .csv or .npz file")
    columns, codes = (_csv(path), ()) if path.suffix == ".csv" else _split_matrices(path, _npz(path))
    columns, graphs = split_graphs(name, columns)
    lengths = {key: len(values) for key, values in columns.items()}
    if not columns or min(lengths.values()) == 0:
        raise DataError(f"{name} has no rows: expected one for each architecture")
    if len(set(lengths.values())) > 1:
        raise DataError(f"{name}: the columns have different lengths: {lengths}")

    def identify(space: Any, architecture: Architecture) -> Key:
        # With all questions named, those not asked are part of the key: their cells are empty.
        paths = questions if set(questions) >= set(architecture) else tuple(sorted(architecture))
        return paths, tuple(str(architecture.get(path, ABSENT)) for path in paths)

    rows = index_rows(name, columns)
    codes += tuple(chain.from_iterable(graphs.values()))
    return Table(name, identify, rows, {k: Column(v) for k, v in columns.items()}, codes, graphs)


def index_rows(name: str, columns: Mapping[str, NDArray[Any]]) -> Mapping[Key, int]:
    """The rows of a file's columns by their answers."""
    return _Rows(name, columns)


def answers(values: NDArray[Any]) -> list[Any]:
    """A column of answers as plain values: whole numbers as int, empty cells as ABSENT."""
    return [_answer(value) for value in values.tolist()]


def _answer(value: Any) -> Any:
    if isinstance(value, float):  # only NaN differs from itself
        return ABSENT if value != value else int(value) if value.is_integer() else value
    return value


class _Rows(Mapping[Key, int]):
    """A mapping from the answers on some paths to their row, with an index for each set of paths."""

    def __init__(self, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        self._name, self._columns = name, columns
        self._indices: dict[tuple[str, ...], dict[tuple[str, ...], list[int]]] = {}

    def __getitem__(self, key: Key) -> int:
        """Raises DataError if several rows have these answers. Other duplicates are no fault: rows with other
        answers may have been asked further questions, which tell them apart."""
        paths, answers = key
        # One index for each set of paths: there are as many as there are shapes of architectures.
        if paths not in self._indices:
            self._indices[paths] = self._index(paths)
        rows = self._indices[paths][answers]
        if len(rows) > 1:
            raise DataError(
                f"{self._name}: rows {rows[0] + 1} and {rows[1] + 1} have the same answers to"
                f" {', '.join(paths)}: keep one row of each architecture, or name in --questions"
                " (`questions` of cambrian.benchmarks.table) the columns that tell them apart"
            )
        return rows[0]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[Key]:
        return iter(())

    def _texts(self, path: str) -> list[str]:
        """Answers as text, since a file does not distinguish the text 3 from the number."""
        return list(map(str, answers(self._columns[path])))

    def _index(self, paths: tuple[str, ...]) -> dict[tuple[str, ...], list[int]]:
        if not all(path in self._columns for path in paths):
            return {}
        rows: dict[tuple[str, ...], list[int]] = {}
        for row, answers in enumerate(zip(*(self._texts(p) for p in paths), strict=True)):
            rows.setdefault(answers, []).append(row)
        return rows


def _csv(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte-order mark
            separator = _find_separator(file.readline())
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=separator) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    header, body = ([name.strip() for name in rows[0]], rows[1:]) if rows else ([], [])
    for name in header:
        if not name or header.count(name) > 1:
            raise DataError(f"{path}: the header must name each column once, got {name!r}")
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}")
    # Spreadsheets write semicolons where numbers have commas.
    mark = "," if separator == ";" else "."
    return {name: _column([row[i].strip() for row in body], mark) for i, name in enumerate(header)}


def _find_separator(header: str) -> str:
    """The sign that splits the header into most columns; of several the first.

    >>> [_find_separator(line) for line in ("a;b;c", "a,b", "a", '"a;b",c')]
    [';', ',', ',', ',']
    """
    return max(SEPARATORS, key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))


def _column(cells: list[str], mark: str) -> NDArray[Any]:
    """Numbers, whose fractions begin after a point or that `mark`, or else words."""
    try:
        return np.array([float(c.replace(mark, ".")) if c else np.nan for c in cells])
    except ValueError:
        return np.array(cells)


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            archive = np.load(file)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is one array, as numpy.save writes it")
            with archive:
                columns = {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise DataError(f"cannot read {path}: {error}: expected arrays saved by numpy.savez") from error
    return columns


def _split_matrices(
    path: Path, arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The columns of an archive, and the names of those that a matrix of answers was split into."""
    columns: dict[str, NDArray[Any]] = {}
    codes: list[str] = []
    for name, values in arrays.items():
        matrix = values.ndim == 2 and values.dtype.kind in "iuUb"
        if not matrix and (values.ndim != 1 or values.dtype.kind not in "iufUb"):
            raise DataError(
                f"{path}: {name!r} is {values.dtype}{list(values.shape)}, expected a column, or a matrix of"
                " whole numbers or words with a column for each question"
            )
        parts = {f"{name}{i}": values[:, i] for i in range(values.shape[1])} if matrix else {name: values}
        for part in parts:
            if part in columns or (matrix and part in arrays):
                raise DataError(f"{path}: two columns would be called {part!r}: rename the array {name!r}")
        columns |= parts
        codes += parts if matrix else ()
    return columns, tuple(codes)
