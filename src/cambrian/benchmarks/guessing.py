"""Which columns of a table are questions, where nobody says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.estimators.tables.files import ABSENT, answers
from cambrian.estimators.tables.table import Table
from cambrian.problem import split_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPTIONS = 64
"""The most different whole numbers of a question: a column with more is taken for a metric."""
REPEATS = ("seed", "replicate", "repeat", "repetition", "run", "trial")
"""Usual names of a column that numbers repeated measurements."""
COSTS = (
    *(
        "seconds",
        "second",
        "secs",
        "sec",
        "minutes",
        "hours",
        "time",
        "runtime",
        "duration",
        "latency",
        "fps",
    ),
    *("throughput", "params", "param", "parameters", "flops", "flop", "mflops", "gflops", "macs", "madds"),
    *("energy", "joules", "watts", "memory", "ram", "vram", "bytes", "cost", "price"),
)
"""Words in the name of a column that measures what an architecture costs, and so is no question."""

Columns = Mapping[str, list[Any]]


def guess_questions(
    table: Table, taken: Collection[str | None], depth: str | None = None, repeated: bool = False
) -> list[str]:
    """The columns that a file has as one matrix, those of text, and `depth`, if no two rows agree on all of
    them. Otherwise columns of few different whole numbers too: those up to the one with which every
    combination is there once, else all; a number that is another in each row only numbers the rows. One
    more column of whole numbers is a question where only that tells rows apart, or decides whether
    another question is asked. None of these are numbers whose name says that they are a cost. With
    `repeated`, rows may agree."""
    left_out = {*taken, *(REPEATS if repeated else ()), *list_costs(table)} - {depth}
    columns = {name: answers(c.values) for name, c in table.columns.items() if name not in left_out}
    words = [name for name in columns if not is_numeric(table.columns[name].values)]
    sure = [name for name in columns if name in words or name in table.codes or name == depth]
    if sure and _tell_apart(columns, sure):
        return _add_deciding(columns, sure)
    asked = _ask_whole_numbers(columns, sure)
    return asked if repeated else _add_deciding(columns, asked)


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
    """The questions with the first other column of whole numbers that makes a tree of them, at its place,
    where they alone do not make one."""
    if _make_tree(columns, asked):
        return asked
    for name, column in columns.items():
        numbering = ABSENT not in column and len(set(column)) == len(column)
        more = [each for each in columns if each in asked or each == name]
        if name not in asked and _is_whole(column) and not numbering and _make_tree(columns, more):
            return more
    return asked


def _make_tree(columns: Columns, names: list[str]) -> bool:
    """Whether no two rows agree on all of these columns, and whether it follows from a row's answers before a
    column that it has an answer there, as a walk needs it."""
    return _tell_apart(columns, names) and all(
        _follows(columns, names[:place], name) for place, name in enumerate(names)
    )


def _follows(columns: Columns, before: list[str], name: str) -> bool:
    rows = zip(*(columns[each] for each in before), strict=True) if before else ((),) * len(columns[name])
    asked: dict[tuple[Any, ...], bool] = {}
    present = [answer != ABSENT for answer in columns[name]]
    return all(asked.setdefault(row, here) == here for row, here in zip(rows, present, strict=True))


def _tell_apart(columns: Columns, names: list[str]) -> bool:
    """Whether no two rows agree on all of these columns."""
    if not names:
        return False
    rows = list(zip(*(columns[name] for name in names), strict=True))
    return len(set(rows)) == len(rows)


def _is_whole(column: list[Any]) -> bool:
    return all(isinstance(answer, int | str) for answer in set(column))


def list_costs(table: Table) -> list[str]:
    """The columns that are a cost by their names."""
    return [name for name, column in table.columns.items() if is_cost(name, column.values)]


def is_cost(name: str, values: NDArray[Any]) -> bool:
    """Whether a column is what an architecture costs: numbers, whose name says so.

    >>> names = ("seconds", "train_time (s)", "latencyMs", "timestep", "width")
    >>> [is_cost(name, np.array([1, 2])) for name in names], is_cost("memory", np.array(["none", "lstm"]))
    ([True, True, True, False, False], False)
    """
    return is_numeric(values) and not split_words(name).isdisjoint(COSTS)


def is_numeric(values: NDArray[Any]) -> bool:
    return bool(np.issubdtype(values.dtype, np.number))
