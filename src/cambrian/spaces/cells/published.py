"""Architectures from the literature, as answers to the questions of the space they were found in."""

from __future__ import annotations

from copy import deepcopy
from typing import TypedDict

from cambrian.architecture import Architecture
from cambrian.errors import UnknownName


class Published(TypedDict):
    """`space`: the name of the space. `answers`: path to answer. `source`: where it was printed."""

    space: str
    answers: dict[str, str | int]
    source: str


_PUBLISHED: dict[str, Published] = {
    "pnasnet-5": {
        "space": "pnas",
        "answers": {
            "blocks": 5,
            "block1/input1": "previous-previous",
            "block1/operation1": "sep5x5",
            "block1/input2": "previous-previous",
            "block1/operation2": "max3x3",
            "block2/input1": "previous",
            "block2/operation1": "sep7x7",
            "block2/input2": "previous",
            "block2/operation2": "max3x3",
            "block3/input1": "previous",
            "block3/operation1": "sep5x5",
            "block3/input2": "previous",
            "block3/operation2": "sep3x3",
            "block4/input1": "block3",
            "block4/operation1": "sep3x3",
            "block4/input2": "previous",
            "block4/operation2": "max3x3",
            "block5/input1": "previous-previous",
            "block5/operation1": "sep3x3",
            "block5/input2": "previous",
            "block5/operation2": "identity",
        },
        "source": "Liu et al. 2018, Progressive Neural Architecture Search, arXiv 1712.00559, Fig. 1",
    },
}


def names() -> list[str]:
    """The names `published` knows.

    >>> names()
    ['pnasnet-5']
    """
    return sorted(_PUBLISHED)


def published(name: str) -> Published:
    """The named architecture, a copy of its own; raises UnknownName.

    >>> published("pnasnet-5")["answers"]["block4/input1"]
    'block3'
    """
    if name not in _PUBLISHED:
        raise UnknownName("published architecture", name, _PUBLISHED)
    return deepcopy(_PUBLISHED[name])


def published_in(space: str) -> dict[str, Architecture]:
    """Name to architecture, of those that answer the questions of the space of this name."""
    return {
        name: Architecture.from_json(entry["answers"])
        for name, entry in _PUBLISHED.items()
        if entry["space"] == space
    }
