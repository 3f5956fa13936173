"""Python text within a width: calls that do not fit on a line have an argument on each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True)
class Group:
    """`head`, parts with commas between, `tail`: `nn.Sequential(`, modules, `)`."""

    head: str
    parts: Sequence[Group | str]
    tail: str

    def before(self, text: str) -> Group:
        """The same with `text` in front, such as `name=`."""
        return Group(text + self.head, self.parts, self.tail)


def prefix(text: str, part: Group | str) -> Group | str:
    return part.before(text) if isinstance(part, Group) else text + part


def lay_out(part: Group | str, indent: int) -> list[str]:
    """The lines of a statement."""
    flat = " " * indent + flatten(part)
    if isinstance(part, str) or not part.parts or len(flat) < WIDTH:  # a comma may follow
        return [flat]
    inner = [lay_out(p, indent + 4) for p in part.parts]
    body = [line for lines in inner for line in [*lines[:-1], lines[-1] + ","]]
    return [" " * indent + part.head, *body, " " * indent + part.tail]


def quote(value: object) -> str:
    """A plain value; texts in double quotes, tuples with those inside."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(quote, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def flatten(part: Group | str) -> str:
    if isinstance(part, str):
        return part
    return part.head + ", ".join(map(flatten, part.parts)) + part.tail
