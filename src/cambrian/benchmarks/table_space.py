"""The space of a table of results: its questions are columns, its architectures are rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import OneOf, Scalar
from cambrian.errors import DataError, Unbuildable
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.files import ABSENT, answers
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Listed(Space):
    """The rows of the file `table`, whose columns `questions` are asked in this order: only answers that
    lead to a row are offered, and a question that is empty in all remaining rows is not asked. `depth` may
    name a column of whole numbers, the size of an architecture: a larger one is asked the questions of the
    smaller ones too."""

    table: str
    questions: tuple[str, ...]
    depth: str | None = None

    measure = "uniform over the rows of the table"

    @property
    def knowledge(self) -> tuple[object, ...]:
        return () if self.depth is None else (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        node = _tree(self.table, self.questions)
        while isinstance(node, Fork):
            # By the number of rows behind each option: walks are then uniform over the rows.
            weights = None if len(set(node.rows)) == 1 else tuple(map(float, node.rows))
            answer = pick.ask(OneOf(node.path, node.options, weights, depth=node.path == self.depth))
            node = node.below[node.options.index(answer)]

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable(f"architectures of {self.table} are looked up, not built")


GrowingListed = Listed
"""The name in older run directories, when tables with a `depth` were a class of their own."""


@dataclass(frozen=True)
class Fork:
    """`below[i]` follows option i (None: a row is found), which `rows[i]` rows have."""

    path: str
    options: tuple[Scalar, ...]
    rows: tuple[int, ...]
    below: tuple[Any, ...]


@dataclass(frozen=True)
class Question:
    """A column: every row's answer, and the place of each answer among the options."""

    path: str
    answers: list[Any]
    place: dict[Any, int]


@cache
def _tree(table: str, questions: tuple[str, ...]) -> Fork | None:
    # Kept: every walk goes down this tree, and making it reads the whole table.
    rows = open_table(table, questions)
    columns = [_question(path, answers(rows.column(path).values)) for path in questions]
    return _fork(table, columns, range(len(columns[0].answers)))


def _question(path: str, column: list[Any]) -> Question:
    """Numbers are options in ascending order, texts in the order in which the file first has them."""
    different = list(dict.fromkeys(column))
    if all(isinstance(a, int | float) for a in different if a != ABSENT):
        different.sort(key=lambda a: -float("inf") if a == ABSENT else a)
    return Question(path, column, {a: n for n, a in enumerate(different)})


def _fork(table: str, asked: Sequence[Question], rows: Sequence[int]) -> Fork | None:
    """The fork of `rows`, which agree on all questions before `asked`."""
    if not asked:
        if len(rows) > 1:
            raise DataError(
                f"{table}: rows {rows[0] + 1} and {rows[1] + 1} have the same answers: keep one row of each"
            )
        return None
    question = asked[0]
    groups: dict[Any, list[int]] = {}
    for row in rows:
        groups.setdefault(question.answers[row], []).append(row)
    # Whether a question is asked must follow from the answers before it: a walk has nothing else to go by.
    if ABSENT in groups and len(groups) > 1:
        raise DataError(
            f"{table}: row {groups[ABSENT][0] + 1} has no {question.path!r}, though others with the same"
            " answers before it have: fill it in, or order the columns so that what decides comes first"
        )
    if ABSENT in groups:
        return _fork(table, asked[1:], rows)
    options = sorted(groups, key=question.place.__getitem__)
    below = tuple(_fork(table, asked[1:], groups[option]) for option in options)
    return Fork(question.path, tuple(options), tuple(len(groups[o]) for o in options), below)
