"""Path counts against walking every path."""

from __future__ import annotations

from collections import Counter

from graphs import graphs, renamed
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.predictors.paths import path_counts
from cambrian.spaces.space import Graph


def walked(graph: Graph) -> Counter[tuple[str, ...]]:
    """Every path from a node nobody feeds to one that feeds nobody, one by one."""
    found: Counter[tuple[str, ...]] = Counter()

    def walk(node: int, path: tuple[str, ...]) -> None:
        following = [b for a, b in graph.edges if a == node]
        for b in following:
            walk(b, (*path, graph.labels[b]))
        if not following:
            found[path] += 1

    for node, label in enumerate(graph.labels):
        if all(b != node for _, b in graph.edges):
            walk(node, (label,))
    return found


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_they_are_those_of_walking_every_path(graph):
    """The counts are those that brute force finds."""
    assert path_counts(graph) == walked(graph)


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_silent_labels_are_passed_over(graph):
    """As if they were struck from every path afterwards."""
    silent, struck = set(graph.labels[::2]), Counter()
    for path, count in walked(graph).items():
        struck[tuple(label for label in path if label not in silent)] += count
    assert path_counts(graph, silent=silent) == struck


@given(graphs(), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_isomorphic_graphs_have_the_same(graph, seed):
    """Renaming nodes changes nothing."""
    assert path_counts(renamed(graph, seed)) == path_counts(graph)


def test_a_graph_of_a_million_paths_takes_no_time():
    """Beyond the limit the count is exact and the sequences are their ends."""
    stages = 20
    labels = ("in", *(x for i in range(stages) for x in (f"a{i}", f"b{i}", "add")), "out")
    edges = []
    for i in range(stages):
        at = 3 * i
        edges += [(at, at + 1), (at, at + 2), (at + 1, at + 3), (at + 2, at + 3)]
    counts = path_counts(Graph(labels, (*edges, (3 * stages, 3 * stages + 1))))
    assert sum(counts.values()) == 2**stages
    assert len(counts) < 1000
