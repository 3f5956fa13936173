"""What a number among a space's settings may be: one sentence for all that are out of bounds.

The bounds above are some times what papers use and well below where one sample, one look at the
neighbours or the list of levels would take minutes, or all of the memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.errors import SpaceError
from cambrian.options import shorten

FILTERS = 4096
"""Of a layer: a 3x3 convolution of as many to as many has 151 million weights."""


def check_bounds(space: str, most: int, least: int = 1, /, **settings: object) -> None:
    """Raise unless each is a whole number from `least` to `most`, or several of them.

    >>> check_bounds("pnas", 20, blocks=10**9)
    Traceback (most recent call last):
    cambrian.errors.SpaceError: space 'pnas': blocks is 1 to 20, got 1000000000
    """
    for name, value in settings.items():
        numbers: Sequence[object] = value if isinstance(value, tuple | list) else (value,)
        if not all(_within(n, least, most) for n in numbers):
            are = "are whole numbers from" if numbers is value else "is"
            raise SpaceError(f"space {space!r}: {name} {are} {least} to {most}, got {shorten(value)}")


def _within(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
