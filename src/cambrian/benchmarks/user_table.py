"""A user's own table of results as a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.table_space import Listed
from cambrian.errors import DataError
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.files import SUFFIXES, answers
from cambrian.estimators.tables.table import Table
from cambrian.estimators.tabular import Tabular
from cambrian.problem import lower_is_better

if TYPE_CHECKING:
    from numpy.typing import NDArray

OBJECTIVES = ("valid_acc", "val_acc", "validation", "valid", "val", "objective", "value", "accuracy")
TESTS = ("test_acc", "test_accuracy", "test")
OPTIONS = 64
"""The most different whole numbers of a question: a column with more is taken for a metric."""


def table(
    path: str | Path,
    objective: str | None = None,
    test: str | None = None,
    *,
    questions: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    seconds: str | None = None,
    depth: str | None = None,
    minimize: bool | None = None,
) -> Benchmark:
    """A `.csv` with a header or an `.npz` of columns as a benchmark: a row per architecture, a column per
    question, empty where it was not asked. Search maximises `objective`, or minimises it where `minimize`
    says so or, left open, its name does (val_loss, error, latency); `test` is the score of the
    report (without it, the objective), `seconds` the cost of a measurement; values are as the table has them.
    `depth` names the question of an architecture's size, for progressive search.

    Which column is the objective and which the test is known by usual names (valid_acc, test_acc);
    which are questions, where `questions` does not say, is guessed (see `_questions`); the rest are
    metrics. A row without an objective is an architecture that could not be measured; one with it needs the
    test too. Raises DataError with the file and its fault."""
    name = str(Path(path).absolute())
    rows = open_table(name)
    objective = _choose_column(rows, objective, OBJECTIVES, "objective")
    usual = next((c for c in TESTS if c in rows.columns), objective)
    test = _choose_column(rows, test, (usual,), "test")
    taken = {objective, test, seconds, *(metrics or ())}
    asked = tuple(questions or _questions(rows, taken))
    for column in (*asked, *((depth,) if depth else ())):
        rows.column(column)  # raises UnknownName for one that is not there
    for role, columns in (("metric", metrics), ("column of seconds", (seconds,) if seconds else ())):
        for column in columns or ():
            _check_numbers(rows, column, role)
    if not asked:
        raise DataError(
            f"{path} has no column that could be a question: expected one of words, or of at most {OPTIONS}"
            " different whole numbers that repeat; others are for `questions` of cambrian.benchmarks.table"
        )
    _check_complete(rows, objective, test, seconds)
    if metrics is None:
        numbers = [c for c, v in rows.columns.items() if _numeric(v.values)]
        metrics = [c for c in numbers if c not in {*asked, objective, test, seconds}]
    space = Listed(name, asked, depth)
    # One walk builds the tree: a table that does not make a space is refused here, not in a search.
    space.walk(lambda choice: next(choice.answers()))
    low = bool(lower_is_better(objective)) if minimize is None else minimize
    estimator = Tabular(name, objective, tuple(metrics), seconds, minimize=low, questions=asked)
    # The test has a direction of its own: a search for a low loss may be judged by its accuracy.
    low_test = low if test == objective else lower_is_better(test)
    scores = rows.column(test).values
    return Benchmark.of_table(
        Path(path).stem, space, estimator, scores, test_minimize=low if low_test is None else low_test
    )


def table_of(text: str, minimize: bool | None = None) -> Benchmark:
    """`PATH`, `PATH:OBJECTIVE` or `PATH:OBJECTIVE:TEST`, as a command line gives it."""
    # From the right: a folder may be called "tables.csv:old".
    for suffix in SUFFIXES:
        path, ending, columns = text.rpartition(suffix)
        if ending and columns[:1] in ("", ":"):
            names = [name or None for name in columns.split(":")[1:]]
            if len(names) <= 2:
                return table(path + ending, *names, minimize=minimize)
    raise DataError(
        f"cannot read {text!r}: write it as TABLE.csv, TABLE.csv:OBJECTIVE or TABLE.csv:OBJECTIVE:TEST"
    )


def _choose_column(rows: Table, name: str | None, usual: Sequence[str], role: str) -> str:
    """Raises UnknownName for a column that is not there, DataError where none has a usual name."""
    name = name or next((c for c in usual if c in rows.columns), None)
    if name is None:
        columns = ", ".join(rows.columns)
        raise DataError(f"{rows.name} has no column named {usual[0]}: which is the {role}? It has: {columns}")
    _check_numbers(rows, name, role)
    return name


def _check_numbers(rows: Table, name: str, role: str) -> None:
    """Raises DataError for a column with a cell that is not a number."""
    values = rows.column(name).values
    if not _numeric(values):
        cells = list(enumerate(values.tolist(), 1))
        row, cell = next((each for each in cells if not _is_number(each[1])), cells[0])
        raise DataError(
            f"{rows.name}: the {role} {name!r} must be a column of numbers, but row {row} has {cell!r}"
        )


def _check_complete(table: Table, objective: str, test: str, seconds: str | None) -> None:
    """Raises DataError for a row that lacks the score of the report, or the cost of its measurement."""
    measured = np.isfinite(table.column(objective).values)
    if not measured.any():
        raise DataError(f"{table.name}: no row has a {objective}, so that there is nothing to search for")
    columns = [(test, measured, f"has a {objective} but no {test}")]
    if seconds is not None:
        columns.append((seconds, np.ones_like(measured), f"has no {seconds}"))
    for column, rows, wrong in columns:
        for row in np.flatnonzero(rows & ~np.isfinite(table.column(column).values)).tolist():
            raise DataError(f"{table.name}: row {row + 1} {wrong}: fill it in, or leave out the row")


def _questions(table: Table, taken: set[str | None]) -> list[str]:
    """Columns of text, if no two rows agree on all of them. Otherwise columns of few different whole
    numbers too: those up to the one with which every combination is there once, else all; a number that
    is another in each row only numbers the rows."""
    columns = {name: answers(c.values) for name, c in table.columns.items() if name not in taken}
    rows = len(next(iter(table.columns.values())).values)
    text = [name for name in columns if not _numeric(table.columns[name].values)]
    if text and len(set(zip(*(columns[name] for name in text), strict=True))) == rows:
        return text
    # A full grid of answers marks the end of the questions: metrics of whole numbers may follow.
    asked: list[str] = []
    combinations = 1
    for name, column in columns.items():
        different = set(column)
        whole = all(isinstance(a, int | str) for a in different)
        if name in text or (whole and len(different) <= OPTIONS and len(different) < rows):
            asked.append(name)
            combinations *= len(different)
            if combinations == rows == len(set(zip(*(columns[a] for a in asked), strict=True))):
                break
    return asked


def _is_number(cell: Any) -> bool:
    """Whether the text of a cell is a number; an empty cell is an unknown one."""
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return not isinstance(cell, bool)


def _numeric(values: NDArray[Any]) -> bool:
    return bool(np.issubdtype(values.dtype, np.number))
