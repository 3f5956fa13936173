"""Rows of a table with the same answers: repeated measurements of one architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.estimators.tables.files import answers, index_rows
from cambrian.estimators.tables.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODES = ("mean", "seed")
"""How repeated rows are measured: as their mean, or as one of them, drawn by the seed of the search."""


def group_rows(table: Table, questions: Sequence[str]) -> list[list[int]]:
    """The rows of each architecture, in the order of their first."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    columns = (answers(table.column(path).values) for path in questions)
    for row, asked in enumerate(zip(*columns, strict=True)):
        groups.setdefault(asked, []).append(row)
    return list(groups.values())


def merge_rows(table: Table, questions: tuple[str, ...]) -> Table:
    """A table with one row for each architecture: its answers, and the means of its numbers."""
    groups = group_rows(table, questions)
    columns = {
        name: Column(_merge(column.values, groups, name in questions))
        for name, column in table.columns.items()
    }
    rows = index_rows(table.name, {name: column.values for name, column in columns.items()})
    return replace(table, rows=rows, columns=columns, single=table.columns, groups=groups)


def _merge(values: NDArray[Any], groups: Sequence[Sequence[int]], answer: bool) -> NDArray[Any]:
    if answer or not np.issubdtype(values.dtype, np.number):
        return values[[rows[0] for rows in groups]]
    return np.array([_average(values[list(rows)]) for rows in groups])


def _average(values: NDArray[Any]) -> float:
    """The mean of the values that were measured; NaN where none was."""
    measured = values[np.isfinite(values)]
    return float(measured.mean()) if len(measured) else float("nan")
