"""From the cells of one level to all cells of the next, by the hundred thousand (PNAS, Alg. 1, "expand")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import SpaceError
from cambrian.spaces.isomorphism import canonical_codes, first_of_each
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
        chosen = chosen[distinct(cells[parent], blocks[block], len(space.operations))]
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


def distinct(cells: NDArray[np.int64], blocks: NDArray[np.int64], operations: int) -> NDArray[np.int64]:
    """The indices, ascending, of the first of each kind among the children `cells[i]` + `blocks[i]`."""
    children = np.concatenate([cells, blocks[:, None]], axis=1)
    base = (children.shape[1] + 2) * operations
    return first_of_each(canonical_codes(children, operations), base**2)
