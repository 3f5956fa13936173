"""Which columns of a table are questions, where nobody says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.estimators.tables.files import ABSENT, answers
from cambrian.estimators.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPTIONS = 64
"""The most different whole numbers of a question: a column with more is taken for a metric."""
REPEATS = ("seed", "replicate", "repeat", "repetition", "run", "trial")
"""Usual names of a column that numbers repeated measurements."""

Columns = Mapping[str, list[Any]]


def guess_questions(table: Table, taken: Collection[str | None], repeated: bool = False) -> list[str]:
    """The columns that a file has as one matrix, and those of text, if no two rows agree on all of them.
    Otherwise columns of few different whole numbers too: those up to the one with which every combination is
    there once, else all, and one more where only that tells the rows apart; a number that is another in each
    row only numbers the rows. With `repeated`, rows may agree."""
    left_out = {*taken, *(REPEATS if repeated else ())}
    columns = {name: answers(c.values) for name, c in table.columns.items() if name not in left_out}
    sure = [name for name in columns if name in table.codes or not is_numeric(table.columns[name].values)]
    if sure and _tell_apart(columns, sure):
        return sure
    asked = _ask_whole_numbers(columns, sure)
    if not repeated and not _tell_apart(columns, asked):
        asked = _add_deciding(columns, asked)
    return asked


def _ask_whole_numbers(columns: Columns, sure: list[str]) -> list[str]:
    rows = len(next(iter(columns.values()), ()))
    asked: list[str] = []
    combinations = 1
    for name, column in columns.items():
        different = len(set(column))
        if name in sure or (_is_whole(column) and different <= OPTIONS and different < rows):
            asked.append(name)
            combinations *= different
            # A full grid of answers marks the end of the questions: metrics of whole numbers may follow.
            if combinations == rows and _tell_apart(columns, asked):
                break
    return asked


def _add_deciding(columns: Columns, asked: list[str]) -> list[str]:
    """The questions with the first other column of whole numbers that tells all rows apart, at its place."""
    for name, column in columns.items():
        numbering = ABSENT not in column and len(set(column)) == len(column)
        if name not in asked and _is_whole(column) and not numbering and _tell_apart(columns, [*asked, name]):
            return [each for each in columns if each in asked or each == name]
    return asked


def _tell_apart(columns: Columns, names: list[str]) -> bool:
    """Whether no two rows agree on all of these columns."""
    if not names:
        return False
    rows = list(zip(*(columns[name] for name in names), strict=True))
    return len(set(rows)) == len(rows)


def _is_whole(column: list[Any]) -> bool:
    return all(isinstance(answer, int | str) for answer in set(column))


def is_numeric(values: NDArray[Any]) -> bool:
    return bool(np.issubdtype(values.dtype, np.number))
