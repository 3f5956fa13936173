"""Numbers of things, and times, in sentences."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """The number with its noun, whose plural has an s.

    >>> counted(1, "trial"), counted(1200, "epoch"), counted(0, "failed trial")
    ('1 trial', '1,200 epochs', '0 failed trials')
    """
    return f"{number:,.0f} {noun}" + ("" if number == 1 else "s")


def seconds_text(seconds: float) -> str:
    """Seconds as people say them.

    >>> seconds_text(48.2), seconds_text(600), seconds_text(9000)
    ('48 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
