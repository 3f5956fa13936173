"""The data-flow graph of a chain of layers with skip connections."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.space import Graph


def backbone_graph(
    labels: Sequence[str], joins: Sequence[str], skips: Sequence[Sequence[int]], after: bool = False
) -> Graph:
    """Layer n has `labels[n - 1]` and, where it has skips, a node of its own that joins them with the layer's
    input, or, `after` it, with its output. Output 0 is the input of the first layer."""
    names, groups, edges, ends = ["input"], ["input"], list[tuple[int, int]](), [0]
    for n, (label, join, read) in enumerate(zip(labels, joins, skips, strict=True), 1):
        first, sources = len(names), [ends[s] for s in read]
        names += ([label, join] if after else [join, label]) if sources else [label]
        edges += [(ends[-1], first), *([(first, first + 1)] if sources else [])]
        edges += [(s, first + after) for s in sources]
        groups += [f"layer {n}"] * (len(names) - len(groups))
        # Later layers skip to the last node of this one, its join included.
        ends.append(len(names) - 1)
    edges.append((ends[-1], len(names)))
    return build_graph((*names, "output"), tuple(edges), (*groups, "output"))
