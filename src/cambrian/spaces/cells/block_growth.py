"""From the cells of one level to all cells of the next, by the hundred thousand (PNAS, Alg. 1, "expand")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cambrian.architecture import Architecture
from cambrian.spaces.cells.isomorphism import canonical_codes, canonical_order, code_base, first_of_each
from cambrian.spaces.space import Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Children(NamedTuple):
    """Child i is cell `parent[i]` with the block `step[i]`, one row of tokens. `before` and `complete` as in
    a `Pool`."""

    parent: NDArray[np.int64]
    step: NDArray[np.int64]
    before: int
    complete: bool


def children(
    cells: NDArray[np.int64],
    blocks: NDArray[np.int64],
    operations: int,
    rng: np.random.Generator,
    cap: int | None = None,
    rest: NDArray[np.int64] | None = None,
) -> Children:
    """Every cell of int[n, b, 4] with every one of the new `blocks`, int[m, 4]; the first of each isomorphism
    class. Cells of different `rest`, int[n], never are isomorphic. Beyond `cap`, drawn uniformly from all
    pairs."""
    pairs = len(cells) * len(blocks)  # child c is cell c // len(blocks) with block c % len(blocks)
    drawn, chosen = pairs if cap is None else min(pairs, 2 * cap), np.empty(0, np.int64)
    while drawn:
        chosen = np.arange(pairs) if drawn == pairs else np.sort(rng.choice(pairs, drawn, replace=False))
        parent, block = np.divmod(chosen, len(blocks))
        # Twins go before the count: a cap is a number of different cells.
        chosen = chosen[distinct(cells, parent, blocks[block], operations, rest)]
        if drawn == pairs or (cap is not None and len(chosen) >= cap):
            break
        # Too many were twins. The draw starts over with twice as many, which stays uniform.
        drawn = min(pairs, 2 * drawn)
    complete = drawn == pairs and (cap is None or len(chosen) <= cap)
    if cap is not None and len(chosen) > cap:
        # Ascending, so that the order of children does not depend on the draw.
        chosen = np.sort(rng.choice(chosen, cap, replace=False))
    parent, block = np.divmod(chosen, max(len(blocks), 1))
    return Children(parent, blocks[block], pairs, complete)


def pool_of(
    grown: Children,
    parents: Sequence[Architecture],
    step: NDArray[np.int64],
    make: Callable[[int], Architecture],
) -> Pool:
    """The pool of children whose tokens are `step`; without parents, that of the first level."""
    return Pool(
        parents=tuple(parents),
        parent=grown.parent if parents else np.full(len(step), -1, np.int64),
        step=step,
        before=grown.before,
        complete=grown.complete,
        materialise=make,
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
    cells: NDArray[np.int64],
    parent: NDArray[np.int64],
    blocks: NDArray[np.int64],
    operations: int,
    rest: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The first of each kind among the children `cells[parent[i]]` + `blocks[i]`, as ascending indices."""
    codes = child_codes(cells, parent, blocks, operations)
    below = code_base(codes.shape[1], operations) ** 2
    if rest is not None:
        # The other cell of a pair is one more column: only equal pairs are equal.
        codes = np.concatenate([codes, rest[parent, None]], axis=1)
        below = max(below, int(rest.max(initial=0)) + 1)
    return first_of_each(codes, below)


def child_codes(
    cells: NDArray[np.int64], parent: NDArray[np.int64], blocks: NDArray[np.int64], operations: int
) -> NDArray[np.int64]:
    """`canonical_codes` of the children, from those of their parents.

    The codes of a canonical form ascend: a block that was not ready before reads the one just named,
    so its code is greater. Nobody reads the new block: it goes where its code belongs, and the blocks
    after it move up by one, which changes no comparison. Only twins have to be raced again: where
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
        # The new code belongs behind all smaller ones: counting them finds the place without a sort.
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
        # Operands that read a block at this place or later read it one further; inputs are nodes 0 and 1.
        greater, lesser = operands + operations * (operands // operations >= place + 2)
        codes[:, place, np.arange(places) != place] = greater * base + lesser
    return codes
