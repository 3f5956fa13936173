"""The space of a table of results: its questions are columns, its architectures the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import OneOf, Scalar
from cambrian.errors import DataError, Unbuildable
from cambrian.estimators.table_files import ABSENT, answers
from cambrian.estimators.tables import opened
from cambrian.spaces.depth_growth import DepthGrowth
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Listed(Space):
    """The rows of the file `table`, whose columns `questions` are asked in this order: only answers that
    lead to a row are offered, and a question that is empty in all rows left is not asked. `depth` may
    name a column of whole numbers that says how large an architecture is (see `GrowingListed`)."""

    table: str
    questions: tuple[str, ...]
    depth: str | None = None

    measure = "uniform over the rows of the table"

    def program(self, pick: Pick) -> None:
        node = _tree(self.table, self.questions)
        while isinstance(node, Fork):
            weights = None if len(set(node.rows)) == 1 else tuple(map(float, node.rows))
            given = pick.ask(OneOf(node.path, node.options, weights, depth=node.path == self.depth))
            node = node.below[node.options.index(given)]

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable(f"architectures of {self.table} are looked up, not built")


@dataclass(frozen=True)
class GrowingListed(DepthGrowth, Listed):
    """A table with a `depth`, every answer to which is asked the questions of the lesser ones too."""


@dataclass(frozen=True)
class Fork:
    """`below[i]` follows option i (None: a row is found), which `rows[i]` rows have."""

    path: str
    options: tuple[Scalar, ...]
    rows: tuple[int, ...]
    below: tuple[Any, ...]


@cache
def _tree(table: str, questions: tuple[str, ...]) -> Fork | None:
    found = opened(table, questions)
    columns = [answers(found.column(path).values) for path in questions]
    return _fork(table, questions, columns, range(len(columns[0])))


def _fork(
    table: str, questions: tuple[str, ...], columns: Sequence[Sequence[Any]], rows: Sequence[int]
) -> Fork | None:
    """What is asked of `rows`, which agree on everything before `questions`."""
    if not questions:
        if len(rows) > 1:
            raise DataError(
                f"{table}: rows {rows[0] + 1} and {rows[1] + 1} have the same answers: keep one row of each"
            )
        return None
    groups: dict[Any, list[int]] = {}
    for row in rows:
        groups.setdefault(columns[0][row], []).append(row)
    if ABSENT in groups and len(groups) > 1:
        raise DataError(
            f"{table}: row {groups[ABSENT][0] + 1} has no {questions[0]!r}, though others with the same"
            " answers before it have: fill it in, or order the columns so that what decides comes first"
        )
    if ABSENT in groups:
        return _fork(table, questions[1:], columns[1:], rows)
    numbers = all(isinstance(option, int | float) for option in groups)
    options = sorted(groups) if numbers else list(groups)
    below = tuple(_fork(table, questions[1:], columns[1:], groups[option]) for option in options)
    return Fork(questions[0], tuple(options), tuple(len(groups[o]) for o in options), below)
