"""Knowledge of a normal and a reduction cell, searched together, apart from their networks: canonical form,
growth, tokens and graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import SpaceError, UnknownName
from cambrian.spaces.cells.block_growth import children, pool_of
from cambrian.spaces.cells.blocks import Blocks, graph_of
from cambrian.spaces.cells.isomorphism import Block, canonical_cell, canonical_codes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.knowledge import Graph, Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("normal", "reduction")


@dataclass(frozen=True)
class PairCells:
    """`Canonical`, `Grows`, `Encodes` and `Graphs` of pairs of cells with the questions of `form`. A cell
    concatenates the states that no block reads, its inputs among them, and those of `also`
    ("normal/previous", "reduction/block1"), or every block (`concatenates_all`).

    The cells grow in turn, a block at a time and the normal one first: a level is the number of blocks in
    both together, so that one level adds the kinds of one block and not their square."""

    form: Blocks
    also: tuple[str, ...] = ()
    concatenates_all: bool = False

    def cells(self, architecture: Architecture) -> tuple[list[Block], list[Block]]:
        """The tokens (I1, I2, O1, O2) of every block of the normal and of the reduction cell."""
        counts = blocks_of(self.level(architecture))
        normal, reduction = (
            self.form.cell(architecture, n, f"{k}/") for k, n in zip(KINDS, counts, strict=True)
        )
        return normal, reduction

    def architecture(
        self, normal: Sequence[Sequence[int]], reduction: Sequence[Sequence[int]]
    ) -> Architecture:
        """The inverse of `cells`."""
        answers = {f"{k}/": cell for k, cell in zip(KINDS, (normal, reduction), strict=True)}
        blocks = {path: a for k, cell in answers.items() for path, a in self.form.answers(cell, k).items()}
        return Architecture({"blocks": len(normal) + len(reduction), **blocks})

    def output(self, kind: str, cell: Sequence[Block]) -> tuple[int, ...]:
        """The states a cell concatenates."""
        if self.concatenates_all and cell:
            return tuple(range(2, len(cell) + 2))
        read = {i for i1, i2, _, _ in cell for i in (i1, i2)} - self._states_kept(kind)
        return tuple(i for i in range(len(cell) + 2) if i not in read)

    def _states_kept(self, kind: str) -> set[int]:
        """The states that `also` names of a cell of this kind."""
        named = (name.partition("/") for name in self.also)
        return {self.form.states.index(state) for cell, _, state in named if cell == kind}

    def canonical(self, architecture: Architecture) -> str:
        """Equal for pairs that differ only in the order of operands or blocks within their cells."""
        return " | ".join(
            self._text(k, cell) for k, cell in zip(KINDS, self.cells(architecture), strict=True)
        )

    def _text(self, kind: str, cell: Sequence[Block]) -> str:
        marked = [(i1, i2, o1 + mark, o2 + mark) for (i1, i2, o1, o2), mark in zip(cell, self._marks(kind))]
        # Twice the kinds: a kept block's operations are kinds of their own.
        form = canonical_cell(marked, 2 * self.form.kinds)
        return " ".join(f"{self._operand(p)}+{self._operand(q)}" for p, q in form)

    def _operand(self, code: int) -> str:
        """The text of an operand: a star marks kept blocks, a C those that concatenate."""
        node, marked = divmod(code, 2 * self.form.kinds)
        kept, kind = divmod(marked, self.form.kinds)
        sign = "C" * (self.form.combiner(kind) == "concat") + "*" * kept
        return f"{node}.{self.form.operation(kind)}{sign}"

    def _marks(self, kind: str) -> list[int]:
        """Offsets that set the operations of each kept block apart: it may not change places with others."""
        kept = self._states_kept(kind)
        return [self.form.kinds * (b + 2 in kept) for b in range(self.form.most + 1)]

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, 2 * self.form.most + 1))

    def level(self, architecture: Architecture) -> int:
        return int(architecture["blocks"])  # type: ignore[arg-type]

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """Every parent with every block that the cell whose turn it is may be given, operands in either
        order being one block; beyond `cap`, drawn uniformly from those pairs."""
        level = self.level(parents[0]) if parents else 0
        if any(self.level(a) != level for a in parents):
            raise SpaceError("only architectures of one level can be grown together")
        pairs = [self.cells(a) for a in parents] or [([], [])]
        # Even levels add to the normal cell, odd ones to the reduction cell.
        turn = level % 2
        now = np.array([p[turn] for p in pairs], np.int64).reshape(len(pairs), -1, 4)
        other = np.array([p[1 - turn] for p in pairs], np.int64).reshape(len(pairs), -1, 4)
        new = self.form.new(now.shape[1])
        grown = children(
            self._mark(KINDS[turn], now),
            self._mark(KINDS[turn], new[:, None], now.shape[1])[:, 0],
            2 * self.form.kinds,
            rng,
            cap,
            self._same(KINDS[1 - turn], other),
        )
        step = grown.step.copy()
        # The marks of kept blocks served the comparison; tokens do not have them.
        step[:, 2:] %= self.form.kinds

        def make(i: int) -> Architecture:
            cell = [*now[grown.parent[i]].tolist(), step[i].tolist()]
            rest = other[grown.parent[i]].tolist()
            return self.architecture(*((rest, cell) if turn else (cell, rest)))

        return pool_of(grown, parents, np.insert(step, 0, turn, axis=1), make)

    def _mark(self, kind: str, cells: NDArray[np.int64], first: int = 0) -> NDArray[np.int64]:
        """`cells`, int[n, blocks, 4] from block `first` on, with kept blocks set apart."""
        marked = cells.copy()
        marks = self._marks(kind)[first : first + cells.shape[1]]
        marked[..., 2:] += np.array(marks, np.int64)[:, None]
        return marked

    def _same(self, kind: str, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """int[n]: a number per cell, the same for cells that are the same."""
        codes = canonical_codes(self._mark(kind, cells), 2 * self.form.kinds)
        return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("cell", "input", "input", "operation", "operation")

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"cell": 2, "input": self.form.most + 1, "operation": self.form.kinds}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, blocks of the largest pair, 5]: the cell (0 normal, 1 reduction), I1, I2, O1, O2, in the
        order of growth; -1 beyond an architecture's own blocks."""
        levels = [self.level(a) for a in architectures]
        tokens = np.full((len(levels), max(levels, default=0), 5), -1, np.int64)
        for rows, architecture in zip(tokens, architectures, strict=True):
            for turn, cell in enumerate(self.cells(architecture)):
                for b, block in enumerate(cell):
                    # Normal and reduction blocks alternate, as they are added.
                    rows[2 * b + turn] = (turn, *block)
        return tokens

    def graph(self, architecture: Architecture) -> Graph:
        """Both cells as `graph_of` draws them, the reduction cell after the normal one."""
        labels: list[str] = []
        edges: list[tuple[int, int]] = []
        groups: list[str] = []
        for kind, cell in zip(KINDS, self.cells(architecture), strict=True):
            names, links, belongs = graph_of(self.form, cell, self.output(kind, cell), kind)
            edges += [(a + len(labels), b + len(labels)) for a, b in links]
            labels += names
            groups += belongs
        return build_graph(tuple(labels), tuple(edges), tuple(groups))


def blocks_of(level: int) -> tuple[int, int]:
    """How many blocks the normal and the reduction cell have.

    >>> [blocks_of(level) for level in (1, 2, 3, 10)]
    [(1, 0), (1, 1), (2, 1), (5, 5)]
    """
    return (level + 1) // 2, level // 2


def check_also(also: Sequence[str], form: Blocks) -> None:
    known = [f"{kind}/{state}" for kind in KINDS for state in form.states]
    for name in also:
        if name not in known:
            raise UnknownName("state of a cell", name, known)
