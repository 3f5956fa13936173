"""The space of a table of results: its questions are columns, its architectures are rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import OneOf, Scalar
from cambrian.errors import DataError, Unbuildable
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.files import ABSENT, answers
from cambrian.estimators.tables.graphs import join_graphs
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

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
        growth = () if self.depth is None else (DepthGrowth(self),)
        graphs = open_table(self.table, self.questions).graphs
        # Only where its questions are all asked do the answers describe a graph.
        columns = tuple(c for c, questions in graphs.items() if {*questions} <= {*self.questions})
        alone = {*self.questions} == set(chain.from_iterable(graphs[c] for c in columns))
        kind = TableGraphsAlone if alone else TableGraphs
        return (*growth, kind(columns)) if columns else growth

    @property
    def count(self) -> int:
        return _count(self._root)

    def list_architectures(self) -> list[Architecture]:
        return [Architecture(answers) for answers in _list_answers(self._root, {})]

    def program(self, pick: Pick) -> None:
        node = self._root
        while node is not None:
            node = node.below[pick.ask(node.choice)]

    @property
    def _root(self) -> Fork | None:
        return _tree(self.table, self.questions, self.depth)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable(f"architectures of {self.table} are looked up, not built")


@dataclass(frozen=True)
class TableGraphs:
    """`Graphs` of a table's architectures, from the answers about its `columns` of graphs."""

    columns: tuple[str, ...]

    def graph(self, architecture: Architecture) -> Graph:
        return join_graphs(self.columns, architecture)


@dataclass(frozen=True)
class TableGraphsAlone(TableGraphs):
    """`GraphsAlone`, of a table that has no other question."""

    alone = True


GrowingListed = Listed
"""The name in older run directories, when tables with a `depth` were a class of their own."""


@dataclass(frozen=True)
class Fork:
    """`below` has what follows each option of the choice (None: a row is found), `count` the architectures
    behind it."""

    choice: OneOf
    below: Mapping[Any, Fork | None]
    count: int


@dataclass(frozen=True)
class Question:
    """A column: every row's answer, and the place of each answer among the options."""

    path: str
    answers: list[Any]
    place: dict[Any, int]


@cache
def _tree(table: str, questions: tuple[str, ...], depth: str | None) -> Fork | None:
    # Kept, with its choices: every walk goes down this tree, and making it reads the whole table.
    rows = open_table(table, questions)
    columns = [_question(path, answers(rows.column(path).values)) for path in questions]
    return _fork(table, columns, range(len(columns[0].answers)), depth)


_STAMPS: dict[str, tuple[int, int]] = {}


def forget_changed(table: str) -> None:
    """Forget what was read of files if this one has changed since it was last asked for. Only where a user
    asks for a table, and not at each look-up: a search stays with the rows that it began with."""
    with suppress(OSError):  # reading it says what is wrong
        state = os.stat(table)
        stamp = state.st_mtime_ns, state.st_size
        if _STAMPS.setdefault(table, stamp) != stamp:
            _STAMPS[table] = stamp
            open_table.cache_clear()
            _tree.cache_clear()


def _question(path: str, column: list[Any]) -> Question:
    """Numbers are options in ascending order, texts in the order in which the file first has them."""
    different = list(dict.fromkeys(column))
    if all(isinstance(a, int | float) for a in different if a != ABSENT):
        different.sort(key=lambda a: -float("inf") if a == ABSENT else a)
    return Question(path, column, {a: n for n, a in enumerate(different)})


def _fork(table: str, asked: Sequence[Question], rows: Sequence[int], depth: str | None) -> Fork | None:
    """The fork of `rows`, which agree on all questions before `asked`."""
    if not asked:
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
        return _fork(table, asked[1:], rows, depth)
    options = sorted(groups, key=question.place.__getitem__)
    below = {option: _fork(table, asked[1:], groups[option], depth) for option in options}
    # By the number of architectures behind each option: walks are then uniform over them.
    counts = [_count(node) for node in below.values()]
    weights = None if len(set(counts)) == 1 else tuple(map(float, counts))
    choice = OneOf(question.path, tuple(options), weights, depth=question.path == depth)
    return Fork(choice, below, sum(counts))


def _count(node: Fork | None) -> int:
    """The number of architectures behind a fork; one where there is none."""
    return 1 if node is None else node.count


def _list_answers(node: Fork | None, before: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
    """The answers of every architecture behind a fork, each joined to those `before`."""
    if node is None:
        yield before
        return
    for option, following in node.below.items():
        yield from _list_answers(following, {**before, node.choice.path: option})
