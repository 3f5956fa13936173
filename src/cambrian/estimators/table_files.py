"""Anybody's table of results: a `.csv` with a header, or an `.npz` of arrays of one length. A column per
question, named by its path, empty where it was not asked; the other columns are metrics."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import DataError
from cambrian.estimators.tables import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".csv", ".npz")
ABSENT = ""


def read(name: str) -> Table:
    """Columns that are numbers throughout are numbers, NaN where empty. Raises DataError naming the
    file and what is wrong with it."""
    path = Path(name)
    if not path.is_file():
        raise DataError(f"there is no table {name}: give the path of a .csv or .npz file")
    columns = _csv(path) if path.suffix == ".csv" else _npz(path)
    lengths = {key: len(values) for key, values in columns.items()}
    if not columns or min(lengths.values()) == 0:
        raise DataError(f"{name} has no rows: expected one for each architecture")
    if len(set(lengths.values())) > 1:
        raise DataError(f"{name}: the columns have different lengths: {lengths}")
    return Table(name, _answers, _Rows(name, columns), {k: Column(v) for k, v in columns.items()})


def answer(value: Any) -> Any:
    """A cell of a column of answers as a plain value: whole numbers as int, the rest as it is."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return ABSENT if np.isnan(plain) else int(plain) if plain.is_integer() else plain
    return plain


def _answers(space: Any, architecture: Architecture) -> Hashable:
    return tuple(sorted(architecture.items()))


class _Rows(Mapping[Hashable, int]):
    """From (path, answer) pairs to the row. Which columns are questions is known when an architecture
    asks: those it has answers for, and what other rows leave empty was not asked of them."""

    def __init__(self, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        self._name, self._columns = name, columns
        self._found: dict[tuple[str, ...], dict[Hashable, int]] = {}

    def __getitem__(self, key: Any) -> int:
        paths = tuple(path for path, _ in key)
        if paths not in self._found:
            self._found[paths] = self._index(paths)
        return self._found[paths][key]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[Hashable]:
        return iter(range(len(self)))

    def _index(self, paths: tuple[str, ...]) -> dict[Hashable, int]:
        rows: dict[Hashable, int] = {}
        if not all(path in self._columns for path in paths):
            return rows
        cells = zip(*(map(answer, self._columns[path]) for path in paths), strict=True)
        for row, answers in enumerate(cells):
            key = tuple(zip(paths, answers, strict=True))
            if ABSENT not in answers and key in rows:
                raise DataError(
                    f"{self._name}: rows {rows[key] + 1} and {row + 1} are the same architecture: {dict(key)}"
                )
            rows[key] = row
        return rows


def _csv(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    for name in header:
        if not name.strip() or header.count(name) > 1:
            raise DataError(f"{path}: the header must name each column once, got {name!r}")
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}")
    return {name: _column([row[i].strip() for row in body]) for i, name in enumerate(header)}


def _column(cells: list[str]) -> NDArray[Any]:
    try:
        return np.array([float(c) if c else np.nan for c in cells])
    except ValueError:
        return np.array(cells)


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path) as found:
            columns = {name: found[name] for name in found.files}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise DataError(f"cannot read {path}: {error}: expected arrays saved by numpy.savez") from error
    for name, values in columns.items():
        if values.ndim != 1 or values.dtype.kind not in "iufUb":
            raise DataError(f"{path}: {name!r} is {values.dtype}{list(values.shape)}, expected a column")
    return columns
