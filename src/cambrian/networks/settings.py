"""Checks of what a user may set of a network: each says in a sentence what it expected."""

from __future__ import annotations

import math

from cambrian.errors import Unbuildable


def whole(least: int = 1, **settings: object) -> None:
    """Raise unless each is a whole number of at least `least`."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Unbuildable(f"{name} must be a whole number of at least {least}, got {value!r}")


def positive(**settings: object) -> None:
    """Raise unless each is a number above 0."""
    for name, value in settings.items():
        if not (_number(value) and value > 0):  # type: ignore[operator]
            raise Unbuildable(f"{name} must be a number above 0, got {value!r}")


def probability(**settings: object) -> None:
    """Raise unless each is a number from 0 to below 1."""
    for name, value in settings.items():
        if not (_number(value) and 0 <= value < 1):  # type: ignore[operator]
            raise Unbuildable(f"{name} must be a probability below 1, got {value!r}")


def truth(**settings: object) -> None:
    """Raise unless each is True or False."""
    for name, value in settings.items():
        if not isinstance(value, bool):
            raise Unbuildable(f"{name} must be True or False, got {value!r}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
