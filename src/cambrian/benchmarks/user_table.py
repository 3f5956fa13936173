"""A user's own table of results as a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.guessing import OPTIONS, guess_questions, is_numeric, list_costs
from cambrian.benchmarks.table_space import Listed, forget_changed
from cambrian.errors import DataError, UsageError, join_words
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.files import FORMATS, SUFFIXES
from cambrian.estimators.tables.replicates import MODES, group_rows
from cambrian.estimators.tables.table import Table
from cambrian.estimators.tabular import Tabular
from cambrian.problem import lower_is_better

OBJECTIVES = ("valid_acc", "val_acc", "validation", "valid", "val", "objective", "value", "accuracy")
SECONDS = "seconds"
TESTS = ("test_acc", "test_accuracy", "test")


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
    replicates: str | None = None,
) -> Benchmark:
    """A `.csv` with a header or an `.npz` of columns as a benchmark: a row per architecture, a column per
    question, empty where it was not asked; a column of graphs or trees as JSON is split into questions (see
    `cambrian.estimators.tables.graphs`). Search maximises `objective`, or minimises it where `minimize`
    says so or, left open, its name does (val_loss, error, latency); `test` is the score of the
    report (without it, the objective), `seconds` the cost of a measurement; values are as the table has them.
    `depth` names the question of an architecture's size, for progressive search. Rows with the same answers
    are refused unless `replicates` says how to read them: "mean", or "seed" for one that the search's seed
    draws; the test score is the mean of theirs.

    Which column is the objective and which the test is known by usual names (valid_acc, test_acc);
    which are questions, where `questions` does not say, is guessed (see `guess_questions`); the rest are
    metrics, and one of them called seconds is the cost as well, where nothing else is said of it. A row
    without an objective is an architecture that could not be measured; one with it needs the test too.
    Raises DataError with the file and its fault."""
    name = str(Path(path).absolute())
    forget_changed(name)
    rows = open_table(name)
    objective = _choose_column(rows, objective, OBJECTIVES, "objective")
    usual = next((c for c in TESTS if c in rows.columns), objective)
    test = _choose_column(rows, test, (usual,), "test")
    taken = {objective, test, seconds, *(metrics or ())}
    if replicates is not None:
        _check_mode(replicates)
    asked = tuple(questions or guess_questions(rows, taken, depth, replicates is not None))
    # A column of graphs was split when the file was read; its name stands for all of its questions.
    asked = tuple(chain.from_iterable(rows.graphs.get(column, (column,)) for column in asked))
    for column in (*asked, *((depth,) if depth else ())):
        rows.column(column)  # raises UnknownName for one that is not there
    if depth is not None and depth not in asked:
        raise DataError(f"{path}: the depth {depth!r} is not among the questions {', '.join(asked)}: add it")
    for role, columns in (("metric", metrics), ("column of seconds", (seconds,) if seconds else ())):
        for column in columns or ():
            _check_numbers(rows, column, role)
    if not asked:
        raise DataError(
            f"{path} has no column that could be a question: expected one of words, or of at most {OPTIONS}"
            " different whole numbers that repeat; others are for --questions (`questions` of"
            " cambrian.benchmarks.table)"
        )
    _check_complete(rows, objective, test, seconds)
    if replicates is None:
        _check_distinct(rows, asked)
    if metrics is None:
        numbers = [c for c, v in rows.columns.items() if is_numeric(v.values)]
        metrics = [c for c in numbers if c not in {*asked, objective, test, seconds}]
        if seconds is None and SECONDS in metrics and _are_seconds(rows):
            seconds = SECONDS
    space = Listed(name, asked, depth)
    # One walk builds the tree: a table that does not make a space is refused here, not in a search.
    space.walk(lambda choice: next(choice.answers()))
    low = bool(lower_is_better(objective)) if minimize is None else minimize
    estimator = Tabular(
        name, objective, tuple(metrics), seconds, minimize=low, questions=asked, replicates=replicates
    )
    # The test has a direction of its own: a search for a low loss may be judged by its accuracy.
    low_test = low if test == objective else lower_is_better(test)
    scores = estimator.open().column(test).values
    return Benchmark.of_table(
        Path(path).stem, space, estimator, scores, test_minimize=low if low_test is None else low_test
    )


def table_of(text: str, minimize: bool | None = None, **settings: Any) -> Benchmark:
    """`PATH`, `PATH:OBJECTIVE` or `PATH:OBJECTIVE:TEST`, as a command line gives it; `settings` are further
    ones of `table`."""
    # From the right: a folder may be called "tables.csv:old".
    for suffix in SUFFIXES:
        path, ending, columns = text.rpartition(suffix)
        if ending and columns[:1] in ("", ":"):
            names = [name or None for name in columns.split(":")[1:]]
            if len(names) <= 2:
                return table(path + ending, *names, minimize=minimize, **settings)
    raise DataError(
        f"cannot read {text!r}: {FORMATS}; write it as TABLE.csv, TABLE.csv:OBJECTIVE or"
        " TABLE.csv:OBJECTIVE:TEST"
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
    if not is_numeric(values):
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


def _are_seconds(table: Table) -> bool:
    """Whether each row has a time in the column of that name."""
    values = table.column(SECONDS).values
    return bool((np.isfinite(values) & (values >= 0)).all())


def _check_mode(replicates: str) -> None:
    if replicates not in MODES:
        raise UsageError(f"--replicates is {' or '.join(MODES)}, got {replicates!r}")


def _check_distinct(table: Table, questions: Sequence[str]) -> None:
    """Raises DataError for two rows of one architecture."""
    repeated = next((rows for rows in group_rows(table, questions) if len(rows) > 1), None)
    if repeated is not None:
        costs = [name for name in list_costs(table) if name not in questions]
        told = f" ({join_words(costs)}: by name no question but a cost)" if costs else ""
        raise DataError(
            f"{table.name}: rows {repeated[0] + 1} and {repeated[1] + 1} have the same answers to"
            f" {', '.join(questions)}: keep one row of each architecture, name the columns that tell them"
            f" apart in --questions{told}, or say --replicates mean or --replicates seed if they are repeated"
            " measurements"
        )


def _is_number(cell: Any) -> bool:
    """Whether the text of a cell is a number; an empty cell is an unknown one."""
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return not isinstance(cell, bool)
