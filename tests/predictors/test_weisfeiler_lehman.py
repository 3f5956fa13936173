"""Weisfeiler-Lehman features: those of the published example, and the same for isomorphic graphs."""

from __future__ import annotations

from collections import Counter

import numpy as np
from graphs import graphs, renamed
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.predictors.weisfeiler_lehman import WeisfeilerLehman, subtree_counts
from cambrian.spaces.space import Graph


@given(graphs(), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_isomorphic_graphs_lie_at_distance_0(graph, seed):
    """Every round counts the same names, so the kernel is 1."""
    one, other = (subtree_counts(g, 3) for g in (graph, renamed(graph, seed)))
    assert one == other
    np.testing.assert_allclose(WeisfeilerLehman().correlation(3, [one], [other]), 1.0)


@given(st.lists(graphs(), min_size=2, max_size=6), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_the_kernel_is_symmetric_and_positive_semidefinite(found, rounds):
    """As every kernel has to be."""
    counts = [subtree_counts(g, 3) for g in found]
    kernel = WeisfeilerLehman().correlation(rounds, counts, counts)
    np.testing.assert_allclose(kernel, kernel.T)
    assert np.linalg.eigvalsh(kernel).min() > -1e-9


def unfolded(graph: Graph, node: int, depth: int) -> tuple:
    """The tree of what feeds `node`, `depth` edges deep: what a name stands for."""
    feeding = [a for a, b in graph.edges if b == node] if depth else []
    return (graph.labels[node], tuple(sorted(unfolded(graph, a, depth - 1) for a in feeding)))


@given(graphs(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_names_are_the_subtrees_that_feed_a_node(graph, depth):
    """Nodes share a name exactly if the trees unfolded from them are equal, as Theorem 1 of the paper
    has it; two graphs likewise."""
    trees = Counter(unfolded(graph, node, depth) for node in range(len(graph.labels)))
    assert sorted(trees.values()) == sorted(subtree_counts(graph, depth)[depth].values())
    other = Graph((*graph.labels[:-1], "d"), graph.edges)
    shared = set(subtree_counts(graph, depth)[depth]) & set(subtree_counts(other, depth)[depth])
    assert len(shared) == len(set(trees) & {unfolded(other, n, depth) for n in range(len(graph.labels))})


def test_labels_alone_do_not_tell_orders_apart():
    """conv then pool is pool then conv before the first round, and not after it."""
    chains = [Graph(("in", *middle, "out"), ((0, 1), (1, 2), (2, 3))) for middle in (("a", "b"), ("b", "a"))]
    one, other = (subtree_counts(g, 1) for g in chains)
    assert one[0] == other[0]
    assert one[1] != other[1]
