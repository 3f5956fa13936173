"""Ground truth for graphs of layers."""

from __future__ import annotations

from itertools import permutations, product


def least_text(labels, inputs, ordered=None):
    """The least of all ways to number the nodes, those of one label after those of another: what
    `canonical_graph` must agree with up to naming."""
    kinds = [[n for n, label in enumerate(labels) if label == kind] for kind in sorted(set(labels))]
    found = []
    for parts in product(*map(permutations, kinds)):
        order = [node for part in parts for node in part]
        name = {node: n for n, node in enumerate(order)}
        rows = []
        for node in order:
            read = [name[s] for s in inputs[node]]
            rows.append((labels[node], tuple(read if ordered and ordered[node] else sorted(read))))
        found.append(tuple(rows))
    return min(found)


def parameters(network):
    return sum(p.numel() for p in network.parameters())
