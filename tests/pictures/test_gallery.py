"""The pictures in the documentation, and pictures of every space there is."""

import itertools
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from test_layout import NEAR, apart, contains

from cambrian.architecture import sample
from cambrian.pictures import sketches as drawings
from cambrian.pictures import svg as vector
from cambrian.pictures.block_layout import short, text_width
from cambrian.pictures.draw import draw
from cambrian.pictures.graph_parts import MANY, overview
from cambrian.pictures.layout import Box
from cambrian.pictures.picture import picture
from cambrian.spaces import SPACES
from cambrian.spaces.space import Graph, Graphs
from cambrian.testing.gallery import pictures

DOCS = Path(__file__).parents[2] / "docs"
WITH_GRAPHS = [name for name in SPACES.names() if SPACES.make(name).know(Graphs) is not None]


def test_the_documentations_pictures_are_current():
    """`python -m cambrian.testing.gallery docs/pictures` changes nothing; the page shows them all."""
    page = (DOCS / "pictures.md").read_text()
    for name, drawing in pictures():
        assert (DOCS / "pictures" / f"{name}.svg").read_text(encoding="utf-8") == drawing.svg(), name
        assert f"(pictures/{name}.svg)" in page


def crossed(points, box):
    """Whether a straight piece of a route runs through a box."""
    return any(
        abs(x0 - x1) < NEAR
        and box.left + NEAR < x0 < box.right - NEAR
        and min(y0, y1) < box.bottom - NEAR
        and max(y0, y1) > box.top + NEAR
        for (x0, y0), (x1, y1) in itertools.pairwise(points)
    )


def check(graph):
    """What makes a picture readable."""
    drawn = picture(graph)
    paper = Box(drawn.width / 2, drawn.height / 2, drawn.width, drawn.height)
    boxes = [node.box for node in drawn.nodes]
    assert all(contains(paper, box) for box in boxes)
    assert all(contains(paper, frame.box) for frame in drawn.frames)
    assert all(apart(a, b) for a, b in itertools.combinations(boxes, 2))
    assert all(text_width(short(n.label)) <= n.box.width for n in drawn.nodes)
    assert set(drawn.routes) == set(graph.edges)
    for (u, v), points in drawn.routes.items():
        assert points[0] == pytest.approx((boxes[u].x, boxes[u].bottom))
        assert points[-1] == pytest.approx((boxes[v].x, boxes[v].top))
        assert not any(crossed(points, box) for box in boxes)
        assert all(-NEAR <= x <= drawn.width + NEAR and -NEAR <= y <= drawn.height + NEAR for x, y in points)
    return drawn


@pytest.mark.parametrize("name", WITH_GRAPHS)
def test_every_space_is_drawn_readably(name):
    """Nodes lie on the paper and apart, their names fit, every edge has a route between its nodes, and none
    runs through a node; the SVG is well-formed and the text has a line."""
    space = SPACES.make(name)
    for seed in range(3):
        architecture = sample(space, np.random.default_rng(seed))
        check(space.know(Graphs).graph(architecture))
        drawing = draw(space, architecture)
        ElementTree.fromstring(drawing.svg())
        assert str(drawing).strip()


def many(kind, n=300):
    rng = np.random.default_rng(0)
    labels = tuple(rng.choice(["conv3x3", "sep5x5", "max3x3", "add"], n))
    near = {(int(rng.integers(max(0, v - 20), v)), v) for v in range(1, n) for _ in range(2)}
    edges = {"chain": {(v - 1, v) for v in range(1, n)}, "near": near}.get(kind, near | {(0, n - 1)})
    groups = tuple(f"block {v // 5}" for v in range(n)) if kind == "grouped" else ()
    return Graph(labels, tuple(sorted(edges)), groups)


@pytest.mark.parametrize("kind", ["chain", "near", "grouped"])
def test_hundreds_of_nodes_are_drawn_within_a_second(kind):
    """Of processor time; what is merged for the overview keeps a way from the first node to the last."""
    graph = many(kind)
    start = time.process_time()
    seen = overview(graph)
    vector.svg(drawings.cell(picture(seen), "many"))
    assert time.process_time() - start < 1
    check(seen)
    assert len(seen.labels) <= len(graph.labels)


def test_an_overview_merges_blocks_then_runs():
    """A small graph is left alone; rows of one label become one node that says how many; a block says what
    is in it."""
    n = MANY + 10
    chain = tuple((v, v + 1) for v in range(n - 1))
    small = Graph(("a",) * 5, chain[:4])
    assert overview(small) == small
    assert overview(Graph(("a",) * (n - 1) + ("b",), chain)) == Graph((f"a ×{n - 1}", "b"), ((0, 1),))
    blocks = tuple(f"block {v // 2}" for v in range(n))
    merged = overview(Graph(("conv", "pool") * (n // 2), chain, blocks))
    assert merged.labels[0] == "block 0: conv, pool"
    assert merged.edges == chain[: n // 2 - 1]


def test_a_long_chain_goes_on_in_columns():
    """Twenty layers fit a screen, and one edge leads up to the second column."""
    drawn = check(Graph(("conv3x3 x64",) * 20, tuple((v, v + 1) for v in range(19))))
    assert drawn.height < 600
    assert sum(points[0][1] > points[-1][1] for points in drawn.routes.values()) == 1


def test_cells_without_an_edge_between_them_are_framed_apart():
    """Their names are on the frames and no longer on what is inside; with an edge between, nothing is."""
    labels, groups = (
        ("normal in", "conv", "reduce in", "pool"),
        ("normal a", "normal b", "reduce a", "reduce b"),
    )
    drawn = check(Graph(labels, ((0, 1), (2, 3)), groups))
    assert [n.label for n in drawn.nodes] == ["in", "conv", "in", "pool"]
    first, second = drawn.frames
    assert (first.title, second.title) == ("normal", "reduce")
    assert apart(first.box, second.box)
    for v, node in enumerate(drawn.nodes):
        assert contains((first, second)[v // 2].box, node.box)
    assert not picture(Graph(labels, ((0, 1), (1, 2), (2, 3)), groups)).frames
