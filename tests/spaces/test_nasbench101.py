"""Cells of NAS-Bench-101 without its table: counts, graphs, canonical texts, modules."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest

from cambrian.architecture import Architecture, replay
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench101 import EDGES, OPERATIONS, NASBench101, edges, graph_text
from cambrian.spaces.program import Shape

SPACE = NASBench101()


def published_rule(vertices):
    """All labelled graphs of the paper, up to isomorphism: every vertex on a way from the input to the
    output, at most 9 edges. By brute force over adjacency, counted by their least numbering."""
    inner, output = vertices - 2, vertices - 1
    pairs = list(combinations(range(vertices), 2))
    found = set()
    for bits in product((0, 1), repeat=len(pairs)):
        graph = [pair for pair, bit in zip(pairs, bits, strict=True) if bit]
        sources, targets = {a for a, _ in graph}, {b for _, b in graph}
        if len(graph) > EDGES or sources != set(range(output)) or targets != set(range(1, vertices)):
            continue
        for operations in product(range(3), repeat=inner):
            forms = []
            for order in permutations(range(1, output)):
                name = {0: 0, output: output, **{v: n for n, v in enumerate(order, 1)}}
                labels = tuple(operations[v - 1] for v in order)
                forms.append((labels, tuple(sorted((name[a], name[b]) for a, b in graph))))
            found.add(min(forms))
    return found


def test_growth_finds_every_cell():
    """1, 6, 84 and 2,441 cells, as brute force over all graphs counts; texts are as many."""
    cells = []
    for vertices in SPACE.levels:
        pool = SPACE.grow(cells, stream(0))
        cells = [pool.architecture(i) for i in range(len(pool))]
        assert len({SPACE.canonical(c) for c in cells}) == len(cells) == len(published_rule(vertices))
    assert len(cells) == 2441


def test_reading_instead_of_the_output_or_beside_it():
    """A vertex is read by the output until another reads it alone."""
    one = (0, 1)
    assert edges([one]) == [(0, 1), (1, 2)]
    assert edges([(0, 2)]) == [(0, 1), (0, 2), (1, 2)]
    assert edges([one, (1, 0, 1)]) == [(0, 1), (1, 2), (2, 3)]
    assert edges([one, (1, 0, 2)]) == [(0, 1), (1, 2), (1, 3), (2, 3)]
    assert edges([one, (1, 1, 0)]) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert edges([]) == [(0, 1)]


def test_texts_of_isomorphic_graphs():
    """However vertices are numbered; operations and directions count."""
    first = graph_text(("a", "b"), [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert first == graph_text(("b", "a"), [(0, 2), (0, 1), (2, 3), (1, 3)])
    chain = graph_text(("a", "b"), [(0, 1), (1, 2), (2, 3)])
    assert chain == graph_text(("b", "a"), [(0, 2), (2, 1), (1, 3)])
    assert chain != graph_text(("b", "a"), [(0, 1), (1, 2), (2, 3)])
    assert chain != first


def test_cells_the_paper_has_not():
    """A vertex that reads nothing, and more than nine edges."""
    answers = {"vertices": 3, "vertex1/operation": OPERATIONS[0], "vertex1/from0": "none"}
    with pytest.raises(IllegalArchitecture, match="vertex 1 reads nothing"):
        replay(SPACE, Architecture(answers))
    dense = SPACE.architecture([(0, 2), (0, 2, 2), (0, 2, 2, 2)])
    with pytest.raises(IllegalArchitecture, match="at most 9 edges"):
        replay(SPACE, dense)
    with pytest.raises(SpaceError, match="2 to 7 vertices, got vertices=8"):
        NASBench101(8)


def test_networks_take_every_cell():
    """All cells of up to 4 vertices, built small: the right shape, and one-pixel images pass."""
    import torch

    cells = []
    for _ in range(3):
        pool = SPACE.grow(cells, stream(0))
        cells = [pool.architecture(i) for i in range(len(pool))]
        for cell in cells[::7]:
            network = SPACE.build(cell, Shape(2, 5, 5, 3), filters=5, modules=1).eval()
            assert network(torch.zeros(2, 2, 5, 5)).shape == (2, 3)
    with pytest.raises(UsageError, match="at least 3 filters"):
        SPACE.build(cells[0], Shape(), filters=2)
    with pytest.raises(UnknownName, match="did you mean 'modules'"):
        SPACE.build(cells[0], Shape(), module=2)
