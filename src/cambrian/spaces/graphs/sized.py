"""Graphs whose labels are this library's names of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cambrian.spaces.knowledge import Graph


def build_graph(labels: Sequence[str], edges: Iterable[tuple[int, int]], groups: Iterable[str] = ()) -> Graph:
    """The graph whose labels' numbers are sizes, so that operations of different sizes are of one kind. Not
    for labels from elsewhere, whose numbers may mean something else.

    >>> build_graph(("sep3x3", "sep5x5 x16", "add"), ()).kinds
    ('sep#x#', 'sep#x# x#', 'add')
    """
    kinds = tuple(re.sub(r"\d+", "#", label) for label in labels)
    return Graph(tuple(labels), tuple(edges), tuple(groups), kinds)
