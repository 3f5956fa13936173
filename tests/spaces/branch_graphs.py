"""Ground truth for graphs of layers."""

from __future__ import annotations

from itertools import permutations


def least_text(labels, inputs, ordered=None):
    """The least of all ways to number the nodes: what `canonical_graph` must agree with up to naming."""
    nodes = range(len(labels))
    found = []
    for order in permutations(nodes):
        name = {node: n for n, node in enumerate(order)}
        rows = []
        for node in order:
            read = [name[s] for s in inputs[node]]
            rows.append((labels[node], tuple(read if ordered and ordered[node] else sorted(read))))
        found.append(tuple(rows))
    return min(found)


def parameters(network):
    return sum(p.numel() for p in network.parameters())
