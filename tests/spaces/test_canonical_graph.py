"""The canonical text of a graph against all its numberings."""

from __future__ import annotations

import random

import pytest
from branch_graphs import least_text

from cambrian.spaces.graphs.canonical import canonical_graph


def random_graph(rng, nodes, labels, ordered):
    names = [rng.choice(labels) for _ in range(nodes)]
    inputs = [
        [rng.randrange(n) for _ in range(rng.choice((1, 1, 2, 2, 3)))] if n else [] for n in range(nodes)
    ]
    return names, inputs, [ordered and name == labels[0] for name in names]


@pytest.mark.parametrize("ordered", [False, True])
def test_it_parts_graphs_as_all_numberings_do(ordered):
    """On 1,500 random graphs of 4 nodes: equal texts exactly where some numbering is equal."""
    rng = random.Random(1)
    pairs = set()
    for _ in range(1500):
        graph = random_graph(rng, 4, "ab", ordered)
        pairs.add((canonical_graph(*graph), least_text(*graph)))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert len(pairs) < 1500


def test_renumbered_graphs_have_one_text():
    """Graphs of 20 nodes with few labels, whose nodes come in another order."""
    rng = random.Random(2)
    for _ in range(50):
        names, inputs, ordered = random_graph(rng, 20, "ab", True)
        order = list(range(20))
        rng.shuffle(order)
        place = {node: n for n, node in enumerate(order)}
        other = [names[n] for n in order], [[place[s] for s in inputs[n]] for n in order]
        assert canonical_graph(names, inputs, ordered) == canonical_graph(*other, [ordered[n] for n in order])


def test_twins_do_not_cost_their_permutations():
    """Thirty equal layers side by side, and two rows of eight that colours cannot tell apart."""
    assert (
        canonical_graph(["i"] + ["a"] * 30 + ["o"], [[]] + [[0]] * 30 + [list(range(1, 31))]).count("a<")
        == 30
    )
    ring = [[0]] * 6 + [[1 + k, 1 + (k + 1) % 6] for k in range(6)]
    two = (
        [[0]] * 6
        + [[1 + k, 1 + (k + 1) % 3] for k in range(3)]
        + [[4 + k, 4 + (k + 1) % 3] for k in range(3)]
    )
    names = ["i"] + ["a"] * 6 + ["b"] * 6 + ["o"]
    texts = {canonical_graph(names, [[], *rows, list(range(7, 13))]) for rows in (ring, two)}
    assert len(texts) == 2
