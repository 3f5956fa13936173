"""OTMANN against a linear programme, and its axioms."""

from __future__ import annotations

import re

import numpy as np
import pytest
from graphs import graphs, renamed
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy.optimize import linprog

from cambrian.architecture import Architecture, sample
from cambrian.predictors.features import graph_of
from cambrian.predictors.otmann import Layers, distance, layers, match_costs
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.knowledge import Graphs
from cambrian.spaces.program.function_space import space
from cambrian.spaces.space import Graph

WITH_GRAPHS = [name for name in SPACES.names() if SPACES.make(name).know(Graphs) is not None]


def programmed(one: Layers, other: Layers, structure: float) -> float:
    """Kandasamy et al.'s programme (2): ship Z >= 0, no more than a layer's mass of 1, where a unit that
    stays costs 1."""
    cost = match_costs(one, other, structure)
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    best = linprog((cost - 2.0).ravel(), A_ub=np.vstack([rows, columns]), b_ub=np.ones(n + m))
    return float(best.fun + n + m)


@given(graphs(), graphs(), st.sampled_from([0.1, 0.5, 0.8]))
@settings(max_examples=40, deadline=None)
def test_it_is_the_linear_programmes_optimum(one, other, structure):
    """An optimal assignment is an optimal transport where all masses are 1."""
    a, b = layers(one), layers(other)
    assert distance(a, b, structure) == pytest.approx(programmed(a, b, structure), abs=1e-7)


@given(graphs(), graphs(), graphs())
@settings(max_examples=60, deadline=None)
def test_it_is_symmetric_and_keeps_the_triangle_inequality(one, other, third):
    """As a distance does."""
    a, b, c = map(layers, (one, other, third))
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9


@given(graphs(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_isomorphic_graphs_lie_at_distance_0(graph, seed):
    """In whatever order their layers are written down, by the assignment as by equality."""
    one, other = layers(graph), layers(renamed(graph, seed))
    assert one == other
    assert distance(one, other) == 0.0
    assert programmed(one, other, 0.5) == pytest.approx(0.0, abs=1e-9)


def test_path_lengths_by_hand():
    """in -> a -> out and in -> out: a is 1 from both ends, and a walk to out takes 1.5 steps from in."""
    found = layers(Graph(("in", "a", "out"), ((0, 1), (0, 2), (1, 2))))
    assert dict(zip(found.labels, found.lengths, strict=True)) == {
        "in": (0, 0, 0, 1, 2, 1.5),
        "a": (1, 1, 1, 1, 1, 1),
        "out": (1, 2, 1.5, 0, 0, 0),
    }


def test_one_layer_more_costs_one_and_its_shifts():
    """Without structure, a layer added costs its mass, one exchanged for kin a quarter of it."""
    chains = [
        layers(build_graph(labels, [(i, i + 1) for i in range(len(labels) - 1)]))
        for labels in (("in", "conv3x3", "out"), ("in", "conv3x3", "pool", "out"), ("in", "conv5x5", "out"))
    ]
    assert distance(chains[0], chains[1], 1e-9) == pytest.approx(1.0, abs=1e-6)
    assert distance(chains[0], chains[2], 1e-9) == pytest.approx(0.25, abs=1e-6)


def test_numbers_in_labels_of_others_say_nothing():
    """v1 and v2 are strangers, better left unmatched, both, unless their graph says that they are kin."""
    edges, kin = ((0, 1), (1, 2)), ("in", "v", "out")
    one, other = (Graph(("in", label, "out"), edges) for label in ("v1", "v2"))
    assert distance(layers(one), layers(other), 1e-9) == pytest.approx(2.0, abs=1e-6)
    one, other = (replace(graph, kinds=kin) for graph in (one, other))
    assert distance(layers(one), layers(other), 1e-9) == pytest.approx(0.25, abs=1e-6)


def test_trees_of_answers_know_indices_and_numbers():
    """Of one kind are parts of a path that differ in an index that was given as one, and answers that are
    numbers; names and texts that end in numbers are strangers."""

    @space
    def stack(pick, task):
        pick("v1", ["a1", "a2"])
        pick("v2", ["a1", "a2"])
        pick.inside("layer", 3)("width2", [16, 32, True])
        pick.some("reads", [1, 2], 2)

    answers = {"v1": "a1", "v2": "a2", "layer3/width2": 16, "reads": (1, 2)}
    tree = graph_of(stack, Architecture(answers))
    kinds = dict(zip(tree.labels, tree.kinds, strict=True))
    assert kinds == {
        "architecture": "architecture",
        "v1": "v1",
        "a1": "a1",
        "v2": "v2",
        "a2": "a2",
        "layer3": "layer#",
        "width2": "width2",
        "16": "#",
        "reads": "reads",
        "(1, 2)": "# #",
    }
    truth = graph_of(stack, Architecture({**answers, "layer3/width2": True}))
    assert truth.kinds[truth.labels.index("True")] == "True"


@pytest.mark.parametrize("name", WITH_GRAPHS)
def test_operations_of_the_built_in_spaces_are_kin_whatever_their_size(name):
    """The kind of a node is its label with every number left out."""
    place = SPACES.make(name)
    graph = place.know(Graphs).graph(sample(place, stream(0, "kin")))
    assert graph.kinds == tuple(re.sub("[0-9]+", "#", label) for label in graph.labels)
