"""What two architectures differ in: complete, symmetric, inert."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.architecture import Architecture, mutate, sample
from cambrian.pictures.difference import changes, difference, mark_changes, match_nodes, summary
from cambrian.pictures.draw import draw
from cambrian.spaces import SPACES
from cambrian.spaces.space import Graph, Graphs
from report_cases import EVIL, Named, Nested, nested

answers = st.one_of(st.integers(0, 2), st.booleans(), st.sampled_from(["a", "b", 1.0]), st.just(("a", "b")))
architectures = st.dictionaries(st.sampled_from("pqrstuv"), answers).map(Architecture)


@given(architectures, architectures)
def test_every_path_is_told_once(old, new):
    """Each path of either is there once, with its answers, and of the kind that set algebra says."""
    found = {entry.path: entry for entry in difference(old, new)}
    assert len(found) == len(difference(old, new))
    assert set(found) == set(old) | set(new)
    for path, entry in found.items():
        kinds = {(True, False): "removed", (False, True): "added"}
        same = repr(old.get(path)) == repr(new.get(path))
        assert entry.kind == kinds.get((path in old, path in new), "same" if same else "changed")
        assert (entry.old, entry.new) == (old.get(path), new.get(path))
    assert bool(changes(old, new)) == (old != new)


@given(architectures, architectures)
def test_back_is_the_reverse_of_there(old, new):
    """What is added one way is removed the other way."""
    there = {(e.path, e.kind) for e in difference(old, new)}
    turn = {"added": "removed", "removed": "added"}
    assert there == {(e.path, turn.get(e.kind, e.kind)) for e in difference(new, old)}


def test_the_terminal_says_what_differs():
    """A line each, what is gone after what came before it, and how much is the same."""
    old = Architecture({"depth": 2, "a": "x", "b": ("u",), "c": 1})
    new = Architecture({"depth": 1, "a": "x", "c": 1, "d": EVIL + "\x1b"})
    assert str(draw(Nested(), new, before=old)).splitlines() == [
        "~ depth: 2 → 1",
        "− b: u",
        f"+ d: {EVIL}\ufffd",
        "2 the same, 1 changed, 1 added, 1 removed",
    ]


@pytest.mark.parametrize("name", ["pnas", "darts", "autoformer", "anchor-points", "nasbench201"])
def test_nothing_is_marked_where_nothing_differs(name):
    """An architecture beside itself: all answers the same, no node or edge marked in either graph."""
    space = SPACES.make(name)
    one = sample(space, np.random.default_rng(0))
    assert not changes(one, one)
    assert summary(difference(one, one)) == f"{len(one)} the same, 0 changed, 0 added, 0 removed"
    for marks in mark_changes(*[space.know(Graphs).graph(one)] * 2):
        assert not marks.nodes
        assert not marks.edges


@pytest.mark.parametrize("name", ["pnas", "darts", "autoformer", "metaqnn"])
def test_marks_are_what_turns_one_graph_into_the_other(name):
    """The old graph less what is removed is, label by label and edge by edge, the new one less what is
    added, but for the labels of changed nodes."""
    space, rng = SPACES.make(name), np.random.default_rng(1)
    graphs = space.know(Graphs)
    for _ in range(20):
        old = sample(space, rng)
        a, b = graphs.graph(old), graphs.graph(mutate(space, mutate(space, old, rng), rng))
        (before, after), match = mark_changes(a, b), match_nodes(a, b)
        assert {v for v in range(len(a.labels)) if before.nodes.get(v) != "removed"} == set(match)
        assert {w for w in range(len(b.labels)) if after.nodes.get(w) != "added"} == set(match.values())
        for v, w in match.items():
            assert (before.nodes.get(v) == after.nodes.get(w) == "changed") == (a.labels[v] != b.labels[w])
        kept = {(match[u], match[v]) for u, v in a.edges if (u, v) not in before.edges}
        assert kept == {edge for edge in b.edges if edge not in after.edges}


def test_a_changed_operation_is_marked_in_both():
    """conv becomes pool in one group; a node and its edges come into another."""
    old = Graph(("in", "conv", "out"), ((0, 1), (1, 2)), ("in", "a", "out"))
    new = Graph(("in", "pool", "skip", "out"), ((0, 1), (1, 3), (0, 2), (2, 3)), ("in", "a", "b", "out"))
    before, after = mark_changes(old, new)
    assert (before.nodes, before.edges) == ({1: "changed"}, {})
    assert after.nodes == {1: "changed", 2: "added"}
    assert after.edges == {(0, 2): "added", (2, 3): "added"}


@pytest.mark.parametrize("space", [Nested(), Named()])
def test_names_in_a_difference_are_inert(space):
    """A script in an answer is shown, not run; what differs is readable without colour."""
    svg = draw(space, nested(), before=nested("conv"), title=EVIL).svg()
    tags = {e.tag.rsplit("}")[-1] for e in ElementTree.fromstring(svg).iter()}
    assert "script" not in tags
    assert "~" in svg
    assert "1 changed" in svg
