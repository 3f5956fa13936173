"""Tables of features in memory: arrays [n, columns], or tables with named columns, such as pandas has."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.goal import GoalName
from cambrian.tasks.examples import TRAIN, Decode, Decoded, Examples
from cambrian.tasks.limits import check_memory
from cambrian.tasks.nouns import ROWS
from cambrian.tasks.phrases import reason
from cambrian.tasks.readers.csv_text import read_table
from cambrian.tasks.readers.items import array_of
from cambrian.tasks.tables.cells import Cells, Mark, find_marks, read_numbers
from cambrian.tasks.tables.column_notes import describe_missing, find_unseen
from cambrian.tasks.tables.features import Column, count_features, describe_columns, encode, fit_columns
from cambrian.tasks.tables.table_form import UNKNOWN, TableForm
from cambrian.tasks.targets.reading import Targets, count_axes, read_column, read_several, read_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDINGS = (".csv", ".tsv", ".txt")
NAME = "table"
FitRows = Callable[["NDArray[np.int64]"], tuple[tuple[Column, ...], tuple[str, ...]]]
"""The columns that are learned from the rows at these indices, and the sentences that the user reads."""


def read_tables(
    parts: Mapping[int, Any], categories: Sequence[str] = (), goal: GoalName | None = None
) -> Examples:
    """Examples of {TRAIN: (table, labels), TEST: (table, labels)}, whose columns are those of the first."""
    tables: list[dict[str, Cells]] = []
    numbered: list[NDArray[np.int8]] = []
    for part, source in parts.items():
        if not isinstance(source, tuple) or len(source) != 2:
            kind = type(source).__name__
            raise DataError(f"a table of features needs its labels: give (table, labels), got {kind!r}")
        table, rows = read_cells(source[0]), _count_labels(source[1])
        length = _count_rows(table)
        if length != rows:
            raise DataError(f"{NAME}: {length} rows but {rows} labels: give one label per row")
        tables.append(table)
        numbered.append(np.full(rows, part, np.int8))
    cells = {name: _join(tables, name) for name in tables[0]}
    marks, remarks = find_marks({k: v for k, v in cells.items() if k not in categories}, NAME)
    targets = _read_targets([labels for _, labels in parts.values()], goal)
    form = TableForm(width=len(tables[0])) if _are_numbered(tables[0]) else UNKNOWN
    parts_of_rows = np.concatenate(numbered)

    def fit_rows(train: NDArray[np.int64]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
        fitted, notes = fit_training(cells, train, parts_of_rows, NAME, categories, marks)
        return fitted, (f"{NAME}: learned from {describe_columns(fitted)}", *remarks, *notes)

    return make_examples(NAME, fit_rows, cells, targets, parts_of_rows, form)


def _count_labels(labels: Any) -> int:
    try:
        return len(labels)
    except TypeError as error:
        kind = type(labels).__name__
        raise DataError(
            f"{NAME}: expected a label for each row, got one {kind!r}: give a list of them"
        ) from error


def _read_targets(parts: Sequence[Any], goal: GoalName | None) -> Targets:
    """The targets of the parts' rows: in one column, or where the goal is labels or there are several named
    columns, in several."""
    names = [[str(name) for name in getattr(labels, "columns", ())] for labels in parts]
    values = _join_labels([array_of(labels) for labels in parts])
    if any(other != names[0] for other in names):
        raise DataError(f"{NAME}: the labels of the parts have different columns: give all of them the same")
    if len(names[0]) > 1 and goal in (None, "labels", "heads"):
        return read_several(dict(zip(names[0], values.T, strict=True)), NAME, goal)
    if names[0] and np.ndim(values) == 2 and len(names[0]) == 1:
        values = values[:, 0]
    if goal in ("labels", "heads") or count_axes(values) != 1:
        return read_targets(values, NAME, goal, noun=ROWS)
    name = names[0][0] if names[0] else getattr(parts[0], "name", None)
    return read_column(values, NAME, goal, str(name or "target"))


def _join_labels(parts: Sequence[Any]) -> Any:
    """Those of a single part as they are given, with their type; of several in one array, or one list."""
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(labels, np.ndarray) for labels in parts) and len({p.shape[1:] for p in parts}) == 1:
        return np.concatenate(parts)
    return [label for labels in parts for label in labels]


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


def read_cells(source: Any, form: TableForm = UNKNOWN) -> dict[str, Cells]:
    """The cells of `read_named_rows`."""
    return read_named_rows(source, form)[0]


def read_named_rows(source: Any, form: TableForm = UNKNOWN) -> tuple[dict[str, Cells], list[str]]:
    """The cells by the columns' names, and what sentences call the rows of a file: of a .csv, an array [n,
    columns] (0, 1, ...), a dictionary of columns, or a table with named columns; `form` is that of the table
    of the training. Raises DataError for anything else, and for columns of several lengths."""
    where = os.fsdecode(source) if isinstance(source, str | os.PathLike) else NAME
    rows: list[str] = []
    if isinstance(source, str | os.PathLike):
        cells, rows = _read_file(Path(source), form)
    else:
        cells = _read_source(source)
    _count_rows(cells, where)
    _refuse_complex(cells, where)
    if not _are_numbered(cells):
        return cells, rows
    return dict(zip(map(str, form.number(len(cells), where)), cells.values(), strict=True)), rows


def _read_source(source: Any) -> dict[str, Cells]:
    if isinstance(source, Mapping):
        _refuse_alike(source)
        return {str(name): _check_cells(str(name), cells) for name, cells in source.items()}
    # A table of pandas or the like is known by its columns: none of them is imported.
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        _refuse_alike(source.columns)
        return {str(name): _check_cells(str(name), np.asarray(source[name])) for name in source.columns}
    if hasattr(source, "toarray"):  # of scipy
        raise DataError(f"{NAME}: the rows are a sparse matrix: give them as an array, by toarray()")
    array = _as_array(source)
    if array.ndim != 2:
        raise DataError(
            f"expected a table of features [n, columns], got {type(source).__name__!r} of {array.ndim} axes:"
            " give an array, a dictionary of columns, a DataFrame, or the path of a .csv"
        )
    return {str(n): _check_cells(str(n), column) for n, column in enumerate(array.T)}


def _check_cells(name: str, cells: Any) -> Cells:
    """Raises DataError where they are not a column: one value for each row."""
    listed = isinstance(cells, Sequence) and not isinstance(cells, str | bytes)
    if not (cells.ndim == 1 if hasattr(cells, "ndim") else listed):
        kind = type(cells).__name__
        raise DataError(f"{NAME}: the column {name!r:.60} is {kind!r:.60}: expected one value for each row")
    if listed or getattr(cells, "dtype", None) == np.dtype(object):
        # A list in a cell would be taken for a word, as it is written.
        for row, cell in enumerate(cells):
            if _is_nested(cell):
                raise DataError(
                    f"{NAME}: the column {name!r:.60} has {type(cell).__name__!r:.60} in row {row + 1}:"
                    " expected one value for each row"
                )
    return cells


def _is_nested(cell: Any) -> bool:
    return isinstance(cell, list | tuple | set | Mapping) or getattr(cell, "ndim", 0) > 0


def _as_array(source: Any) -> NDArray[Any]:
    try:
        return np.asarray(source)
    except ValueError as error:
        raise DataError(f"{NAME}: the rows are not all as long: {reason(error)}") from error


def _count_rows(table: Mapping[str, Cells], where: str = NAME) -> int:
    """The rows of the table. Raises DataError where its columns have several lengths."""
    if not table:
        raise DataError(f"{where}: the table has no columns, so that there is nothing to learn from")
    lengths = {name: len(cells) for name, cells in table.items()}
    first, *others = lengths.items()
    wrong = next((other for other in others if other[1] != first[1]), None)
    if wrong is not None:
        raise DataError(
            f"{where}: the column {wrong[0]!r:.60} has {wrong[1]} rows, and {first[0]!r:.60} has {first[1]}:"
            " give all columns as many"
        )
    return first[1]


def _refuse_complex(table: Mapping[str, Cells], where: str) -> None:
    # They would be taken for words, each a category of its own.
    name = next((name for name, cells in table.items() if np.asarray(cells[:1]).dtype.kind == "c"), None)
    if name is not None:
        raise DataError(
            f"{where}: the column {name!r:.60} has complex numbers: give their parts as columns of their own"
        )


def _are_numbered(table: Mapping[str, Cells]) -> bool:
    """Whether the columns have no names but their numbers."""
    return list(table) == [str(n) for n in range(len(table))]


def _read_file(path: Path, form: TableForm) -> tuple[dict[str, Cells], list[str]]:
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path}: expected rows of a table: give a .csv with the columns of the training")
    table = read_table(path, form.separator, form.header)
    lines, rows = zip(*table.rows, strict=True)
    return dict(zip(table.names, zip(*rows, strict=True), strict=True)), name_lines(lines)


def name_lines(lines: Iterable[int]) -> list[str]:
    """What sentences call the rows of a file."""
    return [f"line {line}" for line in lines]


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
    fit_rows: FitRows,
    cells: Mapping[str, Cells],
    targets: Targets,
    marks: NDArray[np.int8],
    form: TableForm = UNKNOWN,
    rows: Sequence[str] = (),
) -> Examples:
    """Examples whose inputs are float32 [n, 1, 1, features]: a row is an image of one pixel, whose channels
    are the features, so that they are normalised one by one. Sentences call the rows by their number, or as
    `rows` says."""

    def fit(train: NDArray[np.int64]) -> Decode:
        columns, notes = fit_rows(train)

        def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
            if size not in (None, 1):
                raise DataError(f"{name}: rows of a table are not images, and have no size: leave --size out")
            check_memory(name, 4 * len(indices) * count_features(columns))
            chosen = {column.name: _take(cells[column.name], indices) for column in columns}
            called = [rows[i] if rows else f"row {i + 1}" for i in indices.tolist()]
            inputs = encode(columns, chosen, name, called)[:, None, None, :]
            facts = tuple(msgspec.to_builtins(column) for column in columns)
            said = (*describe_missing(columns, chosen, name), *find_unseen(columns, chosen, name))
            return Decoded(inputs, (*notes, *targets.notes, *said), form.record(), facts)

        return decode

    def decode_all(indices: NDArray[np.int64], size: int | None) -> Any:
        return fit(np.flatnonzero(marks == TRAIN))(indices, size)

    return Examples(name, targets.values, targets.labels, marks, decode_all, targets.goal, ROWS, fit)


def fit_training(
    table: Mapping[str, Cells],
    train: NDArray[np.int64],
    marks: NDArray[np.int8],
    where: str,
    categories: Sequence[str],
    decimals: Mapping[str, Mark],
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """`fit_columns` of the rows at `train`: nothing of a test part goes into the network, whether it is the
    table's own or carved out. What is carved out decides one thing: a column of numbers with a word among
    those rows is of categories, whichever rows are drawn."""
    rows = {name: _take(cells, train) for name, cells in table.items()}
    columns, notes = fit_columns(rows, where, categories, decimals)
    carved = np.setdiff1d(np.flatnonzero(marks == TRAIN), train)
    words = [
        column.name
        for column in columns
        if not column.categories and read_numbers(_take(table[column.name], carved), column.decimal) is None
    ]
    return fit_columns(rows, where, (*categories, *words), decimals) if words else (columns, notes)
