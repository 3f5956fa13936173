"""The layered layout: what must hold of every drawing of every graph."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from cambrian.errors import SpaceError
from cambrian.pictures.graph_parts import blocks
from cambrian.pictures.layout import GAP_X, _inversions, _space_row, gap_between, place_layers
from cambrian.pictures.picture import picture
from cambrian.spaces.space import Graph

NEAR = 1e-6


@st.composite
def sized_graphs(draw, most=12):
    """Boxes of random sizes, and edges from earlier to later ones."""
    n = draw(st.integers(0, most))
    sizes = [(draw(st.integers(10, 200)) * 1.0, draw(st.integers(10, 60)) * 1.0) for _ in range(n)]
    pairs = list(itertools.combinations(range(n), 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=2 * n)) if pairs else []
    return sizes, edges


@st.composite
def grouped_graphs(draw):
    """Labelled graphs, some of whose groups are no convex part."""
    sizes, edges = draw(sized_graphs(10))
    labels = tuple(draw(st.text(max_size=40)) for _ in sizes)
    groups = tuple(draw(st.sampled_from(["", "one", "two", "three"])) for _ in sizes)
    return Graph(labels, tuple(edges), groups if draw(st.booleans()) else ())


def apart(a, b):
    return (
        a.right <= b.left + NEAR
        or b.right <= a.left + NEAR
        or a.bottom <= b.top + NEAR
        or b.bottom <= a.top + NEAR
    )


def contains(outer, inner):
    return (
        outer.left <= inner.left + NEAR
        and inner.right <= outer.right + NEAR
        and outer.top <= inner.top + NEAR
        and inner.bottom <= outer.bottom + NEAR
    )


@given(sized_graphs())
@settings(max_examples=60, deadline=None)
def test_boxes_keep_apart_and_edges_point_down(graph):
    """No two boxes overlap, every edge ends below where it begins, everything lies on the paper."""
    sizes, edges = graph
    placed = place_layers(sizes, edges)
    assert [(b.width, b.height) for b in placed.boxes] == sizes
    assert all(apart(a, b) for a, b in itertools.combinations(placed.boxes, 2))
    for u, v in edges:
        assert placed.boxes[u].bottom < placed.boxes[v].top
    for box in placed.boxes:
        assert min(box.left, box.top) >= -NEAR
        assert box.right <= placed.width + NEAR
        assert box.bottom <= placed.height + NEAR


@given(sized_graphs())
@settings(max_examples=60, deadline=None)
def test_routes_lead_from_box_to_box_and_through_none(graph):
    """A route goes from the source's bottom to the target's top, downwards; where it passes a layer it
    runs straight and keeps out of every box."""
    sizes, edges = graph
    placed = place_layers(sizes, edges)
    assert set(placed.routes) == set(edges)
    for (u, v), points in placed.routes.items():
        source, target = placed.boxes[u], placed.boxes[v]
        assert points[0] == (source.x, source.bottom)
        assert points[-1] == (target.x, target.top)
        assert all(y0 <= y1 for (_, y0), (_, y1) in itertools.pairwise(points))
        for (x, y0), (_, y1) in zip(points[::2], points[1::2]):
            for box in (b for i, b in enumerate(placed.boxes) if i not in (u, v)):
                assert not (box.left < x < box.right and y0 < box.bottom and box.top < y1)


@given(sized_graphs(), st.integers(50, 500))
@settings(max_examples=40, deadline=None)
def test_a_layer_of_boxes_is_as_wide_as_allowed(graph, width):
    """Boxes of one layer and their gaps fit in the width, unless it is a single box."""
    placed = place_layers(*graph, width=float(width))
    rows = {}
    for box in placed.boxes:
        rows.setdefault(round(box.y, 3), []).append(box.width)
    for row in rows.values():
        assert len(row) == 1 or sum(row) + GAP_X * (len(row) - 1) <= width + NEAR


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(-50, 50), st.integers(1, 9)), min_size=1, max_size=12)
)
@settings(max_examples=60, deadline=None)
def test_spreading_is_an_isotonic_regression(row):
    """Positions equal those of scikit-learn's isotonic regression, distances taken off and put back."""
    widths, wanted, weights = ([float(v[i]) for v in row] for i in range(3))
    steps = [(a + b) / 2 + gap_between(a, b) for a, b in itertools.pairwise(widths)]
    offsets = np.cumsum([0.0, *steps])
    places, free = np.arange(len(row)), np.array(wanted) - offsets
    fitted = IsotonicRegression().fit(places, free, weights).predict(places)
    found = _space_row(list(range(len(row))), widths, wanted, weights)
    np.testing.assert_allclose(found, fitted + offsets, atol=1e-9)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15))
def test_crossings_are_counted_as_by_brute_force(pairs):
    """Two edges between neighbouring layers cross when their ends are in opposite order."""
    brute = sum(
        (a[0] < b[0] and a[1] > b[1]) or (a[0] > b[0] and a[1] < b[1])
        for a, b in itertools.combinations(pairs, 2)
    )
    assert _inversions(pairs) == brute


def test_a_crossing_that_need_not_be_is_removed():
    """Two edges that cross in the order given are drawn without a crossing."""
    placed = place_layers([(40.0, 20.0)] * 4, [(0, 3), (1, 2)])
    (a, _), (b, _) = placed.routes[0, 3][0], placed.routes[1, 2][0]
    (c, _), (d, _) = placed.routes[0, 3][-1], placed.routes[1, 2][-1]
    assert (a < b) == (c < d)


@given(grouped_graphs())
@settings(max_examples=60, deadline=None)
def test_pictures_frame_their_groups(graph):
    """Nodes keep apart, lie inside their own group's frame and outside every other, and all edges are
    drawn, pointing down."""
    drawn = picture(graph)
    boxes = [n.box for n in drawn.nodes]
    assert [n.label for n in drawn.nodes] == list(graph.labels)
    assert all(apart(a, b) for a, b in itertools.combinations(boxes, 2))
    assert all(apart(a.box, b.box) for a, b in itertools.combinations(drawn.frames, 2))
    assert set(drawn.routes) == set(graph.edges)
    for (u, v), points in drawn.routes.items():
        assert points[0] == pytest.approx((boxes[u].x, boxes[u].bottom))
        assert points[-1] == pytest.approx((boxes[v].x, boxes[v].top))
        assert boxes[u].bottom < boxes[v].top
    for frame in drawn.frames:
        for v, box in enumerate(boxes):
            mine = graph.groups[v] == frame.title
            assert contains(frame.box, box) if mine else apart(frame.box, box)


def test_only_groups_with_an_edge_inside_are_blocks():
    """Inputs that share a group's name but not an edge are not framed; nameless groups never are."""
    graph = Graph(("a", "b", "c", "d", "e"), ((0, 2), (2, 3), (3, 4)), ("in", "in", "one", "one", ""))
    assert blocks(graph) == {"one": [2, 3]}
    assert [f.title for f in picture(graph).frames] == ["one"]


def test_a_group_around_a_stranger_is_not_framed():
    """a -> b -> c with a and c in one group: a frame would have to hold b."""
    graph = Graph(("a", "b", "c"), ((0, 1), (1, 2), (0, 2)), ("one", "", "one"))
    assert picture(graph).frames == []


@pytest.mark.parametrize("edge", [(1, 0), (0, 0), (0, 5), (-1, 1)])
def test_edges_against_the_order_are_refused(edge):
    """A space's graph whose edges are no forward edges is named at fault."""
    with pytest.raises(SpaceError, match="earlier to later"):
        picture(Graph(("a", "b"), (edge,)))
