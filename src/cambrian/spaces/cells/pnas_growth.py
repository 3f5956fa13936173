"""From the cells of one level to all cells of the next, by the hundred thousand (PNAS, Alg. 1, "expand")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import SpaceError
from cambrian.spaces.cells.isomorphism import canonical_codes, canonical_order, code_base, first_of_each
from cambrian.spaces.space import Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Cells(Protocol):
    """What growth asks of a space of cells."""

    @property
    def blocks(self) -> int: ...
    @property
    def operations(self) -> tuple[str, ...]: ...
    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]: ...
    def architecture(self, cell: Sequence[Sequence[int]]) -> Architecture: ...


def grow(
    space: Cells, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None
) -> Pool:
    """The children of `parents`, which share a level; of nobody, the first level. Children that are
    the same cell appear once, at the place of the first. Raises SpaceError if levels are mixed."""
    cells = space.tokens(parents) if parents else np.empty((1, 0, 4), np.int64)
    if (cells == -1).any():
        raise SpaceError("only architectures of one level can be grown together")
    last = cells.shape[1] == space.blocks
    blocks = new_blocks(0 if last else cells.shape[1] + 2, len(space.operations))
    pairs = len(cells) * len(blocks)  # child c is parent c // len(blocks) with block c % len(blocks)
    drawn, chosen = pairs if cap is None else min(pairs, 2 * cap), np.empty(0, np.int64)
    while drawn:
        chosen = np.arange(pairs) if drawn == pairs else np.sort(rng.choice(pairs, drawn, replace=False))
        parent, block = np.divmod(chosen, len(blocks))
        chosen = chosen[distinct(cells, parent, blocks[block], len(space.operations))]
        if drawn == pairs or (cap is not None and len(chosen) >= cap):
            break
        drawn = min(pairs, 2 * drawn)
    complete = drawn == pairs and (cap is None or len(chosen) <= cap)
    if cap is not None and len(chosen) > cap:
        chosen = np.sort(rng.choice(chosen, cap, replace=False))
    parent, block = np.divmod(chosen, max(len(blocks), 1))
    step = blocks[block]
    return Pool(
        parents=tuple(parents),
        parent=parent if parents else np.full(len(chosen), -1, np.int64),
        step=step,
        before=pairs,
        complete=complete,
        materialise=lambda i: space.architecture([*cells[parent[i]].tolist(), step[i].tolist()]),
    )


def new_blocks(inputs: int, operations: int) -> NDArray[np.int64]:
    """int[n, 4] tokens (I1, I2, O1, O2) of every unordered pair of operands over so many inputs.

    >>> [len(new_blocks(b + 1, 8)) for b in range(1, 6)]
    [136, 300, 528, 820, 1176]
    """
    first, second = np.triu_indices(inputs * operations)
    return np.stack(
        [first // operations, second // operations, first % operations, second % operations], axis=1
    )


def distinct(
    cells: NDArray[np.int64], parent: NDArray[np.int64], blocks: NDArray[np.int64], operations: int
) -> NDArray[np.int64]:
    """The first of each kind among the children `cells[parent[i]]` + `blocks[i]`, as ascending indices."""
    codes = child_codes(cells, parent, blocks, operations)
    return first_of_each(codes, code_base(codes.shape[1], operations) ** 2)


def child_codes(
    cells: NDArray[np.int64], parent: NDArray[np.int64], blocks: NDArray[np.int64], operations: int
) -> NDArray[np.int64]:
    """`canonical_codes` of the children, from those of their parents.

    The codes of a canonical form ascend: a block that was not ready before reads the one just named,
    so its code is greater. Nobody reads the new block: it goes where its code belongs, and what
    follows is called one more, which changes no comparison. Only twins have to be raced again: where
    a parent has some its names are not settled, and the new block may be one itself."""
    size = cells.shape[1] + 1
    base = code_base(size, operations)
    codes, names = canonical_order(cells, operations)
    operands = np.stack(np.divmod(codes, code_base(size - 1, operations)))  # [2, parents, size - 1]
    codes = operands[0] * base + operands[1]
    new = names[parent[:, None], blocks[:, :2]] * operations + blocks[:, 2:]
    code = new.max(axis=1) * base + new.min(axis=1)
    place = np.zeros(len(parent), np.int64)
    twin = (np.diff(codes, axis=1) == 0).any(axis=1)[parent]
    for column in codes.T:
        place += column[parent] < code
        twin |= column[parent] == code
    children = _with_room(operands, operations, base)[parent, place]
    children[np.arange(len(parent)), place] = code
    again = np.flatnonzero(twin)
    raced = np.concatenate([cells[parent[again]], blocks[again, None]], axis=1)
    children[again] = canonical_codes(raced, operations)
    return children


def _with_room(operands: NDArray[np.int64], operations: int, base: int) -> NDArray[np.int64]:
    """int64[parents, places, places]: a parent's codes with room for a block at every place."""
    places = operands.shape[2] + 1
    codes = np.zeros((operands.shape[1], places, places), np.int64)
    for place in range(places):
        greater, lesser = operands + operations * (operands // operations >= place + 2)
        codes[:, place, np.arange(places) != place] = greater * base + lesser
    return codes
