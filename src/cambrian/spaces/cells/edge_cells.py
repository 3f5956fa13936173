"""Knowledge of cells with an operation on each edge of four nodes (see `cambrian.spaces.cells.edges`), apart
from their networks: canonical form, growth, tokens and graphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import Answer, OneOf
from cambrian.errors import SpaceError
from cambrian.paths import at
from cambrian.spaces.cells.edges import EDGES, NODES, NONE, SKIP, Codes, cell_graph, cell_text
from cambrian.spaces.knowledge import Graph, Pool
from cambrian.spaces.program.pick import Pick

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUESTIONS = tuple(at("node", to, "/from", source) for source, to in EDGES)
PATHS = tuple(map(str, QUESTIONS))


@dataclass(frozen=True)
class EdgeCells:
    """`Canonical`, `Grows`, `Settles`, `Encodes` and `Graphs` of cells of these `operations`, the first of
    which is none and the second a skip connection; two `weightless` operations on the same input are one.

    Levels are the nodes that compute, 1 to 3: node b of a cell of level b is its output, by a skip
    connection; on the edges of other nodes is none. So every cell is of a level, and growing rewrites the
    edges that close the cell (`list_settled` gives those it keeps)."""

    operations: tuple[str, ...]
    weightless: frozenset[int] = frozenset()

    def ask(self, pick: Pick) -> None:
        """Ask for the operation on every edge."""
        for question in _list_questions(self.operations):
            pick.ask(question)

    def codes(self, architecture: Mapping[str, Answer]) -> Codes:
        """The operation on each edge, by its place in `operations`, in the order of `EDGES`."""
        return tuple(self.operations.index(str(architecture[path])) for path in PATHS)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The inverse of `codes`."""
        return Architecture({path: self.operations[code] for path, code in zip(PATHS, codes, strict=True)})

    def canonical(self, architecture: Architecture) -> str:
        """Equal for cells that are the same function of the same weights: operations multiplied by
        none, or read by nobody, do not count, and a sum has no order."""
        return _text(self.codes(architecture), self.weightless)

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, NODES))

    def level(self, architecture: Architecture) -> int:
        return _level(self.codes(architecture))

    def list_settled(self, architecture: Architecture) -> tuple[str, ...]:
        """The paths that growing keeps."""
        return PATHS[: _edges(self.level(architecture))]

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """Every parent with every way its next node may read the nodes before; the parent itself
        (its next node skipped) is not a child. Beyond `cap`, drawn uniformly from those."""
        cells = [self.codes(a) for a in parents]
        levels = {_level(c) for c in cells}
        if len(levels) > 1:
            raise SpaceError("only architectures of one level can be grown together")
        level = levels.pop() + 1 if levels else 1
        # The edges that close a cell are written anew by its children: only those before them stay.
        prefixes = [c[: _edges(level - 1)] for c in cells] if parents else [()]
        steps = list(product(range(len(self.operations)), repeat=level)) if level < NODES else []
        children = self._distinct(product(prefixes, steps), level)
        complete = cap is None or len(children) <= cap
        if not complete:
            children = [children[i] for i in np.sort(rng.permutation(len(children))[:cap]).tolist()]
        parent, step = np.divmod(np.array([pair for pair, _ in children], np.int64), max(len(steps), 1))
        return Pool(
            parents=tuple(parents),
            parent=parent if parents else np.full(len(children), -1, np.int64),
            step=_rows([steps[s] for s in step]),
            before=len(prefixes) * len(steps),
            complete=complete,
            materialise=lambda i: self.architecture(children[i][1]),
        )

    def _distinct(self, pairs: Iterable[tuple[Codes, Codes]], level: int) -> list[tuple[int, Codes]]:
        """(number of the pair, cell) of the first cell of each function and future: the next node may
        read any of the nodes so far, so that cells of one function can grow into different ones."""
        first: dict[str, tuple[int, Codes]] = {}
        for number, (prefix, step) in enumerate(pairs):
            begun = (*prefix, *step)
            cell = _close(begun, level)
            # A step that skips its node makes a cell of the level below, which is the parent itself.
            if _level(cell) == level:
                first.setdefault(self._future(begun, level), (number, cell))
        return list(first.values())

    def _future(self, begun: Codes, level: int) -> str:
        """A text that is equal for cells of the same function that grow into the same ones: its output is
        the set of all nodes."""
        if level == NODES - 1:
            return _text(begun, self.weightless)
        read = len(self.operations)  # an operation none of the space's
        # Node 3 stands for any later reader: it reads all nodes so far by an operation of its own.
        open_edges = (read if 1 <= source <= level and to == NODES - 1 else NONE for source, to in EDGES)
        return _text((*begun, *tuple(open_edges)[len(begun) :]), self.weightless | {read})

    @property
    def slots(self) -> tuple[str, ...]:
        return ("operation",) * (NODES - 1)

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"operation": len(self.operations) + 1}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, nodes of the largest, 3]: node b's operations on nodes 0, 1 and 2,
        counted from 1; 0 where there is no such node."""
        cells = [self.codes(a) for a in architectures]
        levels = [_level(c) for c in cells]
        tokens = np.full((len(cells), max(levels, default=0), NODES - 1), -1, np.int64)
        for row, cell, level in zip(tokens, cells, levels, strict=True):
            row[:level] = _rows([cell[_edges(b - 1) : _edges(b)] for b in range(1, level + 1)])
        return tokens

    def graph(self, architecture: Architecture) -> Graph:
        """A node per operation the output depends on; sums are where edges meet."""
        return cell_graph(self.codes(architecture), self.operations)


_text = cache(cell_text)


@cache
def _list_questions(operations: tuple[str, ...]) -> tuple[OneOf, ...]:
    """The questions of a walk: to check that options are distinct takes longer than to ask for one."""
    return tuple(
        OneOf(path, operations, module=True, parts=question.parts) for path, question in zip(PATHS, QUESTIONS)
    )


def _edges(nodes: int) -> int:
    """How many edges end in the first `nodes` nodes that compute.

    >>> [_edges(n) for n in (1, 2, 3)]
    [1, 3, 6]
    """
    return nodes * (nodes + 1) // 2


def _close(begun: Codes, level: int) -> Codes:
    """The cell whose first `level` nodes are `begun`, the last of them being its output."""
    if level == NODES - 1:
        return begun
    # By a skip connection, so that the cell computes node `level` and no more.
    skipped = [NONE] * (len(EDGES) - len(begun))
    skipped[EDGES.index((level, NODES - 1)) - len(begun)] = SKIP
    return (*begun, *skipped)


@cache
def _level(cell: Codes) -> int:
    # The least number of nodes: a larger one would count nodes that are only passed on.
    return next(b for b in range(1, NODES) if _close(cell[: _edges(b)], b) == cell)


def _rows(steps: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """int[n, 3] of operations counted from 1, padded with 0."""
    rows = np.zeros((len(steps), NODES - 1), np.int64)
    for row, step in zip(rows, steps, strict=True):
        row[: len(step)] = np.add(step, 1)
    return rows
