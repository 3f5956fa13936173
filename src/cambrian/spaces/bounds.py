"""Bounds of the numbers among a space's settings.

The bounds are several times those of papers and well below where one sample, one look at the
neighbours or the list of levels would take minutes, or all of the memory.
"""

from __future__ import annotations

from cambrian.errors import SpaceError
from cambrian.options import shorten
from cambrian.settings import Span

FILTERS = 4096
"""The most filters of a layer: a 3x3 convolution from as many to as many has 151 million weights."""


def check_bounds(space: str, most: int, least: int = 1, /, **settings: object) -> None:
    """Raise unless each setting is a whole number from `least` to `most`, or several of them.

    >>> check_bounds("pnas", 20, blocks=10**9)
    Traceback (most recent call last):
    cambrian.errors.SpaceError: space 'pnas': blocks is 1 to 20, got 1000000000
    """
    span = Span(least, most, whole=True)
    for name, value in settings.items():
        if not isinstance(value, tuple | list):
            span.check(f"space {space!r}: {name}", value, SpaceError)
        elif not all(map(span.holds, value)):
            raise SpaceError(f"space {space!r}: {name} are whole numbers from {span}, got {shorten(value)}")
