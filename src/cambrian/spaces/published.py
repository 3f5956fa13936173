"""Architectures from the literature by name, as answers to the questions of the space they come from."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, replay
from cambrian.choices import Scalar
from cambrian.errors import IllegalArchitecture, UnknownName

if TYPE_CHECKING:
    from cambrian.spaces.space import Space

FAMILIES = {
    "cells": ("amoebanet-a", "darts-v1", "darts-v2", "enas", "nasnet-a", "pnasnet-5"),
    "chains": (
        "metaqnn",
        "mnasnet-a1",
        "mnasnet-b1",
        "mobilenet-v2",
        "proxylessnas-gpu",
        "proxylessnas-mobile",
    ),
    "sequences": ("autoformer-b", "autoformer-s", "darts-rnn-v1", "darts-rnn-v2", "enas-rnn", "nascell"),
}
"""Names by the room of their space, whose module `published` has them."""


@dataclass(frozen=True)
class Published:
    """`space.build(architecture, task, **skeleton)` is the network; `source` is where it was printed or
    released. A task of small images has a smaller one unless the skeleton is named."""

    space: Space
    architecture: Architecture
    source: str
    skeleton: Mapping[str, Scalar] = field(default_factory=dict)


def names() -> list[str]:
    """The names that `find_published` takes."""
    return sorted(name for family in FAMILIES.values() for name in family)


def find_published(name: str) -> Published:
    """The named architecture; raises UnknownName.

    >>> find_published("pnasnet-5").architecture["block4/input1"]
    'block3'
    """
    for room, family in FAMILIES.items():
        if name in family:
            entry: Published = importlib.import_module(f"cambrian.spaces.{room}.published").entry(name)
            return entry
    raise UnknownName("published architecture", name, names())


def find_published_in(space: Space) -> dict[str, Architecture]:
    """Name to architecture, of those that are the very same networks in this space: settings such as the
    channels of its stages may differ from those of the space they come from. Of a space that begins with
    networks, as with a user's own or with strong ones for tables, those."""
    from cambrian.spaces.knowledge import Begins, know

    begins = know(space, Begins)
    if begins is not None:
        return dict(begins.begins)
    entries = {name: find_published(name) for name in names()}
    return {name: entry.architecture for name, entry in entries.items() if _holds(space, entry)}


def _holds(space: Space, entry: Published) -> bool:
    from cambrian.spaces.knowledge import Graphs, know

    if type(space) is not type(entry.space):
        return False
    try:
        replay(space, entry.architecture)
    except IllegalArchitecture:
        return False
    # The same answers may mean another network under other settings, so the graphs are compared.
    graphs, published_graphs = know(space, Graphs), know(entry.space, Graphs)
    assert graphs is not None
    assert published_graphs is not None
    return graphs.graph(entry.architecture) == published_graphs.graph(entry.architecture)
