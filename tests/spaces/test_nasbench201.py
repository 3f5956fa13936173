"""Cells of NAS-Bench-201: which are one function, how they grow, and their network."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from cambrian.architecture import sample
from cambrian.errors import SpaceError, UnknownName
from cambrian.randomness import stream
from cambrian.spaces.cells.edges import EDGES, cell_text, live_edges
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.program.function_space import Shape

SPACE = NASBench201()
POOL, CONVOLUTIONS = 4, (2, 3)


def output(cell, weights):
    """What a cell makes of a fixed vector: edge e's convolution is a matrix `weights[e]` inside a
    function of its kind's own, pooling a function without weights."""
    nodes = [np.array([0.3, -1.1, 0.7])]
    for to in (1, 2, 3):
        total = np.zeros(3)
        for edge, (source, end) in enumerate(EDGES):
            if end != to or cell[edge] == 0 or not nodes[source].any():
                continue
            x = nodes[source]
            if cell[edge] == 1:
                total = total + x
            elif cell[edge] == POOL:
                total = total + x**3 - 0.5 * x
            else:
                total = total + (np.tanh if cell[edge] == 2 else np.sin)(weights[edge] @ x)
        nodes.append(total)
    return nodes[-1]


def same_function(one, other):
    """Whether some way to hand the weights of one to the other, kind by kind, gives the same output."""
    mine, yours = ([e for e in live_edges(c) if c[e] in CONVOLUTIONS] for c in (one, other))
    if sorted(one[e] for e in mine) != sorted(other[e] for e in yours):
        return False
    weights = {e: np.random.default_rng(e).standard_normal((3, 3)) for e in range(6)}
    wanted = output(one, weights)
    for order in permutations(mine):
        if [one[e] for e in order] == [other[e] for e in yours]:
            given = {**weights, **{y: weights[m] for y, m in zip(yours, order, strict=True)}}
            if np.allclose(output(other, given), wanted, atol=1e-12):
                return True
    return False


def test_texts_tell_functions_apart():
    """On all cells of pooling, skipping and one convolution whose first node convolves, two texts are
    the same exactly where some exchange of weights makes the outputs the same."""
    cells = [(3, *rest) for rest in product((0, 1, 3), repeat=5)] + [
        (4, 0, 3, 3, *r) for r in product((1, 4), repeat=2)
    ]
    texts = [cell_text(cell, frozenset({POOL})) for cell in cells]
    representatives = {text: cell for text, cell in zip(texts, cells, strict=True)}
    for cell, text in zip(cells, texts, strict=True):
        assert same_function(cell, representatives[text]), (cell, representatives[text])
    distinct = list(representatives.values())
    for n, one in enumerate(distinct):
        assert not any(same_function(one, other) for other in distinct[:n]), one


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ((0, 0, 0, 0, 0, 0), "0"),
        ((3, 3, 3, 3, 0, 0), "3a(x)"),  # only the edge from the input to the output counts
        ((1, 0, 0, 0, 1, 0), "x"),
        ((1, 1, 0, 1, 1, 1), "xxx"),
        ((3, 0, 0, 0, 4, 0), "4(3a(x))"),
        ((4, 4, 0, 0, 1, 1), "4(x)4(x)"),
    ],
)
def test_texts(cell, text):
    """Formulas of the input, written by hand."""
    assert cell_text(cell, frozenset({POOL})) == text


def test_levels_grow_to_the_whole_space():
    """From 5 cells by 125 and, but for those that are the same now and later, 15,625 ways to every
    function of the space."""
    cells, found = [], []
    for level in SPACE.cells.levels:
        pool = SPACE.cells.grow(cells, stream(0, "grow"))
        cells = [pool.architecture(i) for i in range(len(pool))]
        assert {SPACE.cells.level(c) for c in cells} == {level}
        found.append((pool.before, len(pool), pool.complete))
    assert found[0] == (5, 5, True)
    assert found[1][0] == 125
    assert found[2][0] == 125 * found[1][1]
    every = {SPACE.cells.canonical(SPACE.architecture(codes)) for codes in product(range(5), repeat=6)}
    assert {SPACE.cells.canonical(c) for c in cells} == every


def test_a_level_is_closed_by_a_skip_connection():
    """A cell of level b is node b, by a skip connection; its children keep what is settled."""
    first = SPACE.cells.grow((), stream(0))
    assert SPACE.codes(first.architecture(3)) == (3, 0, 0, 0, 1, 0)
    second = SPACE.cells.grow([first.architecture(3)], stream(0))
    child = SPACE.codes(second.architecture(len(second) - 1))
    assert (child[0], child[3:]) == (3, (0, 0, 1))
    assert SPACE.cells.list_settled(first.architecture(3)) == ("node1/from0",)
    assert len(SPACE.cells.list_settled(second.architecture(0))) == 3
    with pytest.raises(SpaceError, match="one level"):
        SPACE.cells.grow([first.architecture(0), second.architecture(0)], stream(0))


def test_graphs_hold_what_the_output_depends_on():
    """A node per live edge, between those it reads and those that read it."""
    graph = SPACE.cells.graph(SPACE.architecture((3, 0, 4, 1, 0, 2)))
    assert graph.labels == ("input", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "output")
    assert graph.edges == ((0, 1), (0, 3), (1, 2), (2, 4), (3, 5), (4, 5))


@pytest.mark.parametrize(
    ("operation", "millions"), [("none", 0.073306), ("skip_connect", 0.073306), ("nor_conv_3x3", 1.531546)]
)
def test_published_parameter_counts(operation, millions):
    """Networks of the smallest and the largest cell, built whole."""
    cell = (SPACE.operations.index(operation),) * 6
    network = SPACE.build(SPACE.architecture(cell), Shape(3, 32, 32, 10), whole=True)
    assert sum(p.numel() for p in network.parameters()) == round(millions * 1e6)


@pytest.mark.parametrize("n", range(4))
def test_what_is_left_out_changes_nothing(n):
    """A network without its dead operations gives what the whole one gives, of the same weights."""
    import torch

    architecture = sample(SPACE, stream(n, "whole"))
    shape = Shape(2, 8, 8, 3)
    whole = SPACE.build(architecture, shape, whole=True, filters=4, cells=1).eval()
    pruned = SPACE.build(architecture, shape, filters=4, cells=1).eval()
    pruned.load_state_dict({k: v for k, v in whole.state_dict().items() if k in pruned.state_dict()})
    x = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(n))
    assert torch.equal(whole(x), pruned(x))


def test_a_skeleton_has_three_settings():
    """Another name is answered with the nearest."""
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        SPACE.build(SPACE.architecture((1,) * 6), Shape(), filter=4)
