"""Tables of features in memory: arrays [n, columns], or tables with named columns, such as pandas has."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.goal import GoalName
from cambrian.tasks.cells import Cells, find_marks
from cambrian.tasks.examples import TRAIN, Decoded, Examples
from cambrian.tasks.features import Column, count_features, describe_columns, encode, fit_columns
from cambrian.tasks.limits import check_memory
from cambrian.tasks.nouns import ROWS
from cambrian.tasks.readers.csv_text import read_table
from cambrian.tasks.targets import Targets, count_axes, read_column, read_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDINGS = (".csv", ".tsv", ".txt")
NAME = "table"


def read_tables(
    parts: Mapping[int, Any], categories: Sequence[str] = (), goal: GoalName | None = None
) -> Examples:
    """Examples of {TRAIN: (table, labels), TEST: (table, labels)}, whose columns are those of the first."""
    tables: list[dict[str, Cells]] = []
    labels: list[Any] = []
    numbered: list[NDArray[np.int8]] = []
    for part, source in parts.items():
        if not isinstance(source, tuple) or len(source) != 2:
            kind = type(source).__name__
            raise DataError(f"a table of features needs its labels: give (table, labels), got {kind!r}")
        table, rows = read_cells(source[0]), list(source[1])
        counts = {len(cells) for cells in table.values()}
        if counts != {len(rows)}:
            raise DataError(
                f"{NAME}: {max(counts, default=0)} rows but {len(rows)} labels: give one label per row"
            )
        tables.append(table)
        labels += rows
        numbered.append(np.full(len(rows), part, np.int8))
    cells = {name: _join(tables, name) for name in tables[0]}
    marks, remarks = find_marks({k: v for k, v in cells.items() if k not in categories}, NAME)
    # The columns are those of the training part: nothing of a test part goes into the network.
    fitted, notes = fit_columns(dict(tables[list(parts).index(TRAIN)]), NAME, categories, marks)
    # Of a single part as they are given, with their type.
    targets = _read_targets(next(iter(parts.values()))[1] if len(parts) == 1 else labels, goal)
    said = f"{NAME}: learned from {describe_columns(fitted)}"
    return make_examples(NAME, fitted, cells, targets, np.concatenate(numbered), (said, *remarks, *notes))


def _read_targets(labels: Any, goal: GoalName | None) -> Targets:
    """The targets of rows in memory: in one column, or where the goal is labels, in several."""
    values = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
    if goal in ("labels", "heads") or count_axes(values) != 1:
        return read_targets(values, NAME, goal, noun=ROWS)
    return read_column(values, NAME, goal, str(getattr(labels, "name", None) or "target"))


def _join(tables: Sequence[Mapping[str, Cells]], name: str) -> Cells:
    if len(tables) == 1:
        return tables[0][name]
    missing = next((n for n, table in enumerate(tables) if name not in table), None)
    if missing is not None:
        raise DataError(f"{NAME}: part {missing} does not have the column {name!r:.60}")
    arrays = [np.asarray(table[name]) for table in tables]
    if len({array.dtype.kind in "uifb" for array in arrays}) > 1:
        arrays = [array.astype(object) for array in arrays]  # numbers beside words stay numbers
    return np.concatenate(arrays)


def read_cells(source: Any) -> dict[str, Cells]:
    """The cells by the columns' names: of a .csv, an array [n, columns] (0, 1, ...), a dictionary of columns,
    or a table with named columns. Raises DataError for anything else."""
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source))
    if isinstance(source, Mapping):
        _refuse_alike(source)
        return {str(name): cells for name, cells in source.items()}
    # A table of pandas or the like is known by its columns: none of them is imported.
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        _refuse_alike(source.columns)
        return {str(name): np.asarray(source[name]) for name in source.columns}
    array = np.asarray(source)
    if array.ndim != 2:
        raise DataError(
            f"expected a table of features [n, columns], got {type(source).__name__!r} of {array.ndim} axes:"
            " give an array, a dictionary of columns, a DataFrame, or the path of a .csv"
        )
    return {str(n): column for n, column in enumerate(array.T)}


def _read_file(path: Path) -> dict[str, Cells]:
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path}: expected rows of a table: give a .csv with the columns of the training")
    table = read_table(path, None, None)
    return dict(zip(table.names, zip(*(row for _, row in table.rows)), strict=True))


def _refuse_alike(names: Iterable[Any]) -> None:
    alike = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if alike:
        raise DataError(f"{NAME}: several columns are called {alike[0]!r:.60}: give each a name of its own")


def _take(cells: Cells, indices: NDArray[np.int64]) -> Cells:
    # An array of a list would make words of numbers that stand beside words.
    return (
        [cells[i] for i in indices.tolist()]
        if isinstance(cells, list | tuple)
        else np.asarray(cells)[indices]
    )


def make_examples(
    name: str,
    columns: tuple[Column, ...],
    cells: Mapping[str, Cells],
    targets: Targets,
    marks: NDArray[np.int8],
    notes: tuple[str, ...],
) -> Examples:
    """Examples whose inputs are float32 [n, 1, 1, features]: a row is an image of one pixel, whose channels
    are the features, so that they are normalised one by one."""

    def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
        if size not in (None, 1):
            raise DataError(f"{name}: rows of a table are not images, and have no size: leave --size out")
        check_memory(name, 4 * len(indices) * count_features(columns))
        chosen = {column.name: _take(cells[column.name], indices) for column in columns}
        inputs = encode(columns, chosen, name)[:, None, None, :]
        return Decoded(
            inputs, (*notes, *targets.notes), {}, tuple(msgspec.to_builtins(column) for column in columns)
        )

    return Examples(name, targets.values, targets.labels, marks, decode, targets.goal, ROWS)
