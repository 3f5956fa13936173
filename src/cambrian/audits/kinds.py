"""Kinds of architectures, by which a sample is stratified and a shortcut's bias is told: how many skips, how
deep, how wide, how large.

Depth and width are those of the graph where the space has one (Shu, Wang & Cai, "Understanding Architectures
Learnt by Cell-based Neural Architecture Search", ICLR 2020): the longest path, and the most operations side
by side. Without a graph, depth is the number of trained layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture
from cambrian.audits.sizes import Sizes
from cambrian.spaces.knowledge import Graph, Graphs, know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("skips", "depth", "width", "size")
SKIPS = ("skip", "identity")
"""Labels of operations that pass their input on."""
WIRES = ("input", "output", "add", "sum", "concat", "previous", "previous-previous")
"""Labels of nodes that are no operations."""


def describe_kinds(
    space: Space, architectures: Sequence[Architecture], sizes: Sequence[Sizes]
) -> dict[str, NDArray[np.float64]]:
    """The kinds in which the architectures differ, by name: float[architectures] each."""
    graphs = know(space, Graphs)
    rows = [
        ({} if graphs is None else _read_graph(graphs.graph(a))) | _read_sizes(s, graphs is None)
        for a, s in zip(architectures, sizes, strict=True)
    ]
    columns = {kind: np.array([row.get(kind, np.nan) for row in rows], float) for kind in KINDS}
    return {kind: values for kind, values in columns.items() if _differ(values)}


def _read_graph(graph: Graph) -> dict[str, float]:
    labels = [label.split()[-1] if label.startswith("normal ") else label for label in graph.labels]
    operations = [not any(label == w or label.endswith(f" {w}") for w in WIRES) for label in labels]
    depth = [0] * len(labels)
    for start, end in sorted(graph.edges, key=lambda edge: edge[1]):
        # Nodes are in a topological order, so that a node's own depth is final before it is read.
        depth[end] = max(depth[end], depth[start] + operations[end])
    wide = Counter(level for level, counted in zip(depth, operations, strict=True) if counted)
    skips = sum(any(label.startswith(s) for s in SKIPS) for label in labels)
    return {"skips": skips, "depth": max(depth, default=0), "width": max(wide.values(), default=0)}


def _read_sizes(sizes: Sizes, alone: bool) -> dict[str, float]:
    kinds = {"size": sizes["params"]} if "params" in sizes else {}
    return kinds | ({"depth": sizes["layers"]} if alone and "layers" in sizes else {})


def _differ(values: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(values).all() and (values != values[0]).any())
