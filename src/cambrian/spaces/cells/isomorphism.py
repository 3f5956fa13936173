"""Isomorphic cells: an exact canonical form for cells of two-operand blocks.

Block k of a cell is a row of tokens (I1, I2, O1, O2): it adds operation O1 of node I1 to operation O2
of node I2. Nodes 0 and 1 are the cell's inputs, node 2 + k is block k. Two cells are the same when
renaming the blocks, and swapping operands within them, turns one into the other.

The canonical form is the least sequence of block codes over all orders in which every block follows
its inputs; codes compare by the greater operand first. It is found greedily, the least code first;
two orders have to be followed only where two blocks of equal code stand ready, that is where a block
has a twin. Hashing every block by its formula would be simpler and wrong: a hash cannot tell a block
used twice from two equal blocks.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Block = tuple[int, int, int, int]


def canonical_cell(cell: Sequence[Block], operations: int) -> tuple[tuple[int, int], ...]:
    """The canonical form of one cell: per block its operands (input * operations + operation), the
    greater one first."""
    used = {node for i1, i2, _, _ in cell for node in (i1, i2)}
    form: list[tuple[int, int]] = []
    frontier = [{0: 0, 1: 1}]  # node of the cell -> node of the form, for every order still in the race
    for node in range(2, len(cell) + 2):
        least = (sys.maxsize, 0)
        following: list[dict[int, int]] = []
        for names in frontier:
            spare = False  # twins that nobody uses are interchangeable: one of them is enough
            for b, (i1, i2, o1, o2) in enumerate(cell, 2):
                if b in names or i1 not in names or i2 not in names:
                    continue
                p, q = names[i1] * operations + o1, names[i2] * operations + o2
                code = (p, q) if p > q else (q, p)
                # A smaller code ends all orders followed so far: their text can no longer be the least.
                if code < least:
                    least, following, spare = code, [], False
                if code == least and not (spare and b not in used):
                    following.append({**names, b: node})
                    spare = spare or b not in used
        form.append(least)
        frontier = following
    return tuple(form)


def canonical_codes(cells: NDArray[np.integer], operations: int) -> NDArray[np.int64]:
    """The canonical forms of many cells of equally many blocks: int[n, blocks, 4] tokens to
    int64[n, blocks] codes (see `code_base`), ascending along a row, equal rows for equal cells."""
    return canonical_order(cells, operations)[0]


def canonical_order(
    cells: NDArray[np.integer], operations: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """`canonical_codes` and int32[n, blocks + 2]: the number in the form of each node of the cell."""
    count, blocks = cells.shape[:2]
    tokens = cells.transpose(2, 1, 0).astype(np.int32)  # [4, blocks, n]: long rows, short loops
    race = _Race(tokens[:2], tokens[2:], operations)
    codes = np.empty((count, blocks), np.int64)
    for node in range(2, blocks + 2):
        code = race.codes()  # [blocks, rows]
        least = code.min(axis=0)
        # Cells with twins have several rows: the least code of a cell is that over all of its rows.
        if len(race.cell) > count:
            least = np.minimum.reduceat(least, race.starts(count))
        codes[:, node - 2] = least
        race.name(node, code == (least if len(race.cell) == count else least[race.cell]))
    return codes, race.names.T[race.starts(count)]


def code_base(blocks: int, operations: int) -> int:
    """A block's code is greater operand * base + lesser operand; an operand is input * operations +
    operation."""
    return (blocks + 2) * operations


class _Race:
    """The orders still in the race, one a row; `cell[row]` (ascending) is the cell it orders."""

    def __init__(self, inputs: NDArray[np.int32], offsets: NDArray[np.int32], operations: int) -> None:
        blocks, count = inputs.shape[1:]
        self.cell, self.inputs, self.offsets = np.arange(count), inputs, offsets
        self.operations, self.base = operations, code_base(blocks, operations)
        self.names = np.full((blocks + 2, count), blocks + 2, np.int32)  # blocks + 2: no name yet
        self.names[:2] = [[0], [1]]
        self.used = np.zeros((blocks, count), bool)
        for block in range(blocks):
            self.used[block] = (inputs == block + 2).any(axis=(0, 1))

    def starts(self, count: int) -> NDArray[np.int64]:
        """The first row of each of `count` cells."""
        return np.searchsorted(self.cell, np.arange(count))

    def codes(self) -> NDArray[np.int64]:
        """The codes of all blocks in all orders, at least base ** 2 where an input is not yet named."""
        first, second = (
            np.take_along_axis(self.names, i, axis=0) * self.operations + o
            for i, o in zip(self.inputs, self.offsets)
        )
        codes: NDArray[np.int64] = np.maximum(first, second).astype(np.int64) * self.base
        codes += np.minimum(first, second)
        return codes

    def name(self, node: int, candidates: NDArray[np.bool_]) -> None:
        """Call one candidate `node` in every row; rows with several fork, rows with none end."""
        # Most cells have no twins: then no row forks and nothing is copied.
        if (candidates.sum(axis=0) != 1).any():
            spare = candidates & ~self.used  # twins that nobody uses are interchangeable: keep one
            candidates = candidates & ~(spare & (np.cumsum(spare, axis=0) > 1))
            rows = np.nonzero(candidates.T)[0]
            self.cell = self.cell[rows]
            self.inputs, self.offsets, self.names, self.used = (
                a[..., rows] for a in (self.inputs, self.offsets, self.names, self.used)
            )
            chosen = np.nonzero(candidates.T)[1]
        else:
            chosen = candidates.argmax(axis=0)
        rows = np.arange(len(chosen))
        self.names[chosen + 2, rows] = node
        self.offsets[:, chosen, rows] = self.base  # named once and for all: out of the race


def first_of_each(codes: NDArray[np.int64], below: int) -> NDArray[np.int64]:
    """The ascending indices of the first of every kind of row of `codes` (all within 0..below-1)."""
    fit = max(1, int(63 // math.log2(below)))  # so many codes fit into one 63-bit word
    words = [_pack(codes[:, at : at + fit], below) for at in range(0, codes.shape[1], fit)]
    order = np.lexsort(words)
    fresh = np.zeros(len(order), bool)
    fresh[:1] = True
    for word in words:
        fresh[1:] |= np.diff(word[order]) != 0
    return np.sort(order[fresh])


def _pack(codes: NDArray[np.int64], below: int) -> NDArray[np.int64]:
    word = np.zeros(len(codes), np.int64)
    for column in codes.T:
        word = word * below + column
    return word
