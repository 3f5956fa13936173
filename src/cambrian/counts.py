"""Numbers of things in sentences."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """The number with its noun, whose plural has an s.

    >>> counted(1, "trial"), counted(1200, "epoch"), counted(0, "failed trial")
    ('1 trial', '1,200 epochs', '0 failed trials')
    """
    return f"{number:,.0f} {noun}" + ("" if number == 1 else "s")
