"""Whose weights a network starts from: its own first ones, those of an earlier row, or a supernet's.

`row` is the number of an earlier trial of the same run. A row that starts from another one's weights is
measured after that one, and its strategy proposes it only once it has learned of that one.
"""

from __future__ import annotations

import msgspec


class Fresh(msgspec.Struct, frozen=True, tag="fresh"):
    """The network's own first weights, drawn by a seed."""


class Continue(msgspec.Struct, frozen=True, tag="continue"):
    """The same network as in `row`, trained further from where that training ended. It changes the cost of
    a measurement and never its result: the key of a measurement does not tell it from `Fresh`."""

    row: int


class Inherit(msgspec.Struct, frozen=True, tag="inherit"):
    """A child's first weights are those of its parent, the network of `row`, by way of `move` (the name of
    a network morphism; "" copies each tensor whose name and shape agree)."""

    row: int
    move: str = ""


class Shared(msgspec.Struct, frozen=True, tag="shared"):
    """The weights of the supernet that was trained as `row`."""

    row: int


Weights = Fresh | Continue | Inherit | Shared
FRESH = Fresh()


def source_row(weights: Weights) -> int | None:
    """The row that these weights come from; None for first weights.

    >>> source_row(Shared(3)), source_row(Fresh())
    (3, None)
    """
    return None if isinstance(weights, Fresh) else weights.row
