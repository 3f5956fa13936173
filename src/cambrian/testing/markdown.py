"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    >>> print(write_table(["name", "size"], [["a", "1"]]))
    | name | size |
    | --- | --- |
    | a | 1 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
