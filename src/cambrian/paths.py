"""Paths of questions with known indices: which block, which layer, which operand.

Text alone does not tell an index from a name: `kernel3` and `kernel5` may be two things, while `layer3` and
`layer5` are two of a kind. So a program passes an index as a number, and a plain name is never parsed.
"""

from __future__ import annotations

from functools import lru_cache

from cambrian.errors import SpaceError

Parts = tuple[str | int, ...]
"""The pieces of a path in order. A number is the index of the thing that the piece before it names."""


class Path(str):
    """The text of a path, with its `parts`. `at` makes it."""

    parts: Parts


@lru_cache(1 << 14)
def at(*parts: str | int) -> Path:
    """The path whose text is these parts, one after the other.

    >>> at("block", 3, "/operation", 1)
    'block3/operation1'
    """
    for part in parts:
        if isinstance(part, int):  # truth values too: `check_index` refuses them
            check_index("".join(map(str, parts)), part)
    path = Path("".join(map(str, parts)))
    path.parts = parts
    return path


def check_index(path: str, index: object) -> None:
    """Raises SpaceError unless `index` is a whole number from 0 on."""
    if type(index) is not int or index < 0:
        raise SpaceError(f"question {path!r}: an index is a whole number from 0 on, got {index!r}")


def parts_of(path: str) -> Parts:
    """The parts of a path; a plain name has one."""
    return path.parts if isinstance(path, Path) else (path,)


def extend(path: str, more: str) -> str:
    """`path` with the text `more` appended; its known indices stay known.

    >>> extend(at("layer", 2), "/width"), extend("layer2", "/width")
    ('layer2/width', 'layer2/width')
    """
    return at(*path.parts, more) if isinstance(path, Path) else path + more


@lru_cache(1 << 14)
def kind_of(parts: Parts) -> str:
    """A text that is the same for paths which differ in their indices alone. In a name # is doubled, and so
    is ?, which ends the kinds of options.

    >>> kind_of(("block", 3, "/operation", 1)), kind_of(("kernel3", )), kind_of(("#1", 1))
    ('block#/operation#', 'kernel3', '##1#')
    """
    return "".join("#" if isinstance(p, int) else p.replace("#", "##").replace("?", "??") for p in parts)


def numbers_of(parts: Parts) -> tuple[int, ...]:
    """The indices in a path, in order."""
    return tuple(part for part in parts if isinstance(part, int))
