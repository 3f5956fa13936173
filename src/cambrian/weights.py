"""The source of a network's initial weights: a seed, an earlier row, or a supernet.

`row` is the number of an earlier trial of the same run. A row that starts from the weights of another is
measured after it, and its strategy proposes it only after learning the other's outcome.
"""

from __future__ import annotations

import msgspec


class Fresh(msgspec.Struct, frozen=True, tag="fresh"):
    """Random initial weights, drawn by a seed."""


class Continue(msgspec.Struct, frozen=True, tag="continue"):
    """The same network as in `row`, trained further from the end of that training. This changes the cost of
    a measurement and never its result: the key of a measurement is the same as with `Fresh`."""

    row: int


class Inherit(msgspec.Struct, frozen=True, tag="inherit"):
    """The weights of the parent, the network of `row`, by one of `MOVES`: "" copies each tensor whose name
    and shape agree; "morphism" gives the child the function of its parent, and the optimiser's state, as
    far as their shapes allow. "final N" are those that the final training N of that network ended with; "as
    trained" are those of the same network, which learns no more."""

    row: int
    move: str = ""


MORPHISM = "morphism"
MOVES = ("", MORPHISM)
FINAL = "final "
"""Before the number of a final training that another one goes on from."""
AS_TRAINED = "as trained"


def is_move(move: str) -> bool:
    """
    >>> is_move("morphism"), is_move("final 3"), is_move("widen")
    (True, True, False)
    """
    return move in (*MOVES, AS_TRAINED) or (move.startswith(FINAL) and move.removeprefix(FINAL).isdigit())


class Shared(msgspec.Struct, frozen=True, tag="shared"):
    """The weights of the supernet that was trained as `row`."""

    row: int


Weights = Fresh | Continue | Inherit | Shared
FRESH = Fresh()


def source_row(weights: Weights) -> int | None:
    """The row that these weights come from; None for random ones.

    >>> source_row(Shared(3)), source_row(Fresh())
    (3, None)
    """
    return None if isinstance(weights, Fresh) else weights.row
