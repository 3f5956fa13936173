"""Pieces of the sentences that errors are made of."""

from __future__ import annotations

from collections.abc import Sequence


def reason(error: Exception) -> str:
    """The message of another library's exception, in one line of at most 160 characters.

    >>> reason(ValueError("first\\nsecond")), reason(KeyError()), reason(FileNotFoundError(2, "gone", "a"))
    ('first', 'KeyError', 'gone')
    """
    # Of the operating system's, neither the number nor the file, which the sentence names.
    lines = (getattr(error, "strerror", None) or str(error)).splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 160 else lines[0][:157] + "..."


def short(label: str) -> str:
    """A label quoted, at most 60 characters of it.

    >>> short("cat")
    "'cat'"
    """
    return repr(label if len(label) <= 60 else label[:57] + "...")


def list_names(names: Sequence[str], most: int = 5) -> str:
    """Names quoted, the first few of many.

    >>> list_names(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(short, names[:most])) + more
