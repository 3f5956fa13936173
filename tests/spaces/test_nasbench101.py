"""Cells of NAS-Bench-101 without its table: counts, graphs, canonical texts, modules."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest

from cambrian.architecture import Architecture, completions, questions, replay, sample
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench101.space import EDGES, OPERATIONS, NASBench101, edges, graph_text
from cambrian.spaces.program.function_space import Shape

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


def test_spaces_of_six_and_seven_vertices_can_be_drawn_from():
    """Whatever the seed, cells of nine edges at most, nearly all of the largest; what is drawn in the
    space of five has not changed with it: each answer as likely as any other."""
    for vertices in (6, 7):
        space = NASBench101(vertices)
        for n in range(40):
            drawn = sample(space, stream(n, "large"))
            assert len(edges(space.rows(drawn))) <= EDGES
            assert space.level(drawn) >= vertices - 1
    asked = questions(SPACE, sample(SPACE, stream(0)))
    assert all(choice.weights is None for choice in asked[1:])


def reachable(vertices):
    """What the answers of a space of so many vertices can wire, as bits of the ordered pairs (a, b): every
    way to read of every vertex, on arrays, each graph of at most nine edges once."""
    pairs = {pair: np.uint32(1 << n) for n, pair in enumerate(combinations(range(vertices), 2))}
    graphs, shared, read = (np.zeros(1, np.uint32) for _ in range(3))
    for v in range(1, vertices - 1):
        rows = [row for row in product(range(3), repeat=v) if any(row)]
        own = np.array([sum(pairs[u, v] for u, how in enumerate(row) if how) for row in rows], np.uint32)
        beside = np.array([sum(1 << u for u, how in enumerate(row) if how == 2) for row in rows], np.uint32)
        taken = np.array([sum(1 << u for u, how in enumerate(row) if how) for row in rows], np.uint32)
        graphs, shared, read = (
            (old[:, None] | new).ravel() for old, new in ((graphs, own), (shared, beside), (read, taken))
        )
    for u in range(vertices - 1):
        bit = np.uint32(1 << u)
        graphs |= np.where((shared & bit > 0) | (read & bit == 0), pairs[u, vertices - 1], np.uint32(0))
    found = np.unique(graphs)
    return found[np.array([int(g).bit_count() <= EDGES for g in found])]


def up_to_numbering(graphs, vertices):
    """One of each kind of unlabelled graph: the least code over all orders of the vertices in between."""
    pairs = list(combinations(range(vertices), 2))
    least = np.full(len(graphs), np.iinfo(np.int64).max)
    for order in permutations(range(1, vertices - 1)):
        name = (0, *order, vertices - 1)
        code = np.zeros(len(graphs), np.int64)
        for n, (a, b) in enumerate(pairs):
            code |= (graphs.astype(np.int64) >> n & 1) << (name[a] * vertices + name[b])
        least = np.minimum(least, code)
    return graphs[np.unique(least, return_index=True)[1]]


def wired(graph, vertices):
    """The cell of the space with these edges: "share" where the output reads a vertex that others read."""
    found = {pair for n, pair in enumerate(combinations(range(vertices), 2)) if graph >> n & 1}
    rows = []
    for v in range(1, vertices - 1):
        share = [(u, vertices - 1) in found for u in range(v)]
        rows.append([((u, v) in found) * (1 + share[u]) for u in range(v)])
    return rows


@pytest.mark.slow
def test_the_whole_space_has_423624_cells():
    """Ying et al. 2019, Sec. 2.1: the published number of unique cells of at most seven vertices and nine
    edges. Whatever the space's answers can wire, one graph of each kind, with every choice of operations,
    has so many canonical texts; those of two to seven vertices are 1, 6, 84, 2,441, 62,010 and 359,082."""
    counts = []
    for vertices in range(2, 8):
        space = NASBench101(vertices)
        texts = set()
        for graph in up_to_numbering(reachable(vertices), vertices).tolist():
            reads = wired(graph, vertices)
            for operations in product(range(3), repeat=vertices - 2):
                rows = [(o, *row) for o, row in zip(operations, reads, strict=True)]
                texts.add(space.canonical(space.architecture(rows)))
        counts.append(len(texts))
    assert counts == [1, 6, 84, 2_441, 62_010, 359_082]
    assert sum(counts) == 423_624


@pytest.mark.parametrize("vertices", [2, 3, 4, 5])
def test_what_the_answers_wire_is_what_the_walks_wire(vertices):
    """The arrays of the test above against the space itself, over all its walks."""
    walks = {frozenset(edges(NASBench101(vertices).rows(a))) for a in every_walk(vertices)}
    pairs = list(combinations(range(vertices), 2))
    arrays = {
        frozenset(p for n, p in enumerate(pairs) if graph >> n & 1) for graph in reachable(vertices).tolist()
    }
    assert arrays == walks
    for graph in reachable(vertices).tolist():
        rows = [(0, *row) for row in wired(graph, vertices)]
        assert set(edges(rows)) == {p for n, p in enumerate(pairs) if graph >> n & 1}


def every_walk(vertices):
    """Every architecture of so many vertices, its operations all the first."""
    space = NASBench101(vertices)
    operations = {f"vertex{v}/operation": OPERATIONS[0] for v in range(1, vertices - 1)}
    return completions(space, {"vertices": vertices, **operations})


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
    with pytest.raises(SpaceError, match="vertices is 2 to 7, got 8"):
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
    with pytest.raises(UsageError, match="filters is at least 3, got 2"):
        SPACE.build(cells[0], Shape(), filters=2)
    with pytest.raises(UnknownName, match="did you mean 'modules'"):
        SPACE.build(cells[0], Shape(), module=2)
