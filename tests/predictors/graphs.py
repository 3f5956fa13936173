"""Random graphs for tests of what compares them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cambrian.spaces.space import Graph


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> Graph:
    """Two to `most` nodes of three labels, any acyclic edges."""
    count = draw(st.integers(2, most))
    labels = draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    pairs = [(i, j) for j in range(count) for i in range(j)]
    kept = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    return Graph(tuple(labels), tuple(p for p, k in zip(pairs, kept, strict=True) if k))


def renamed(graph: Graph, seed: int) -> Graph:
    """The same graph with its nodes in another topological order."""
    rng = np.random.default_rng(seed)
    feeding = {i: {a for a, b in graph.edges if b == i} for i in range(len(graph.labels))}
    order: list[int] = []
    while len(order) < len(graph.labels):
        ready = [i for i in feeding if i not in order and feeding[i] <= set(order)]
        order.append(int(rng.choice(ready)))
    place = {node: i for i, node in enumerate(order)}
    edges = sorted((place[a], place[b]) for a, b in graph.edges)
    return Graph(tuple(graph.labels[i] for i in order), tuple(edges))
