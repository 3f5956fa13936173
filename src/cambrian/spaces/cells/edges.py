"""Cells whose operations are on the edges of four nodes: their canonical form and their graphs.

A cell is six codes, in the order of `EDGES`; 0 is none, 1 a skip connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations, product

from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.space import Graph

NODES = 4
EDGES = tuple((source, to) for to in range(1, NODES) for source in range(to))
NONE, SKIP = 0, 1

Codes = tuple[int, ...]


def cell_text(cell: Codes, weightless: frozenset[int] = frozenset()) -> str:
    """The cell as a formula of its input x, the same for cells that are the same function.

    Operations of the same kind on the same input have weights of their own: `2a(x)2b(x)` is a sum of
    two, `2a(x)2a(x)` one of them doubled. Twins get names in the order that gives the least text.

    >>> cell_text((1, 0, 0, 0, 1, 0)), cell_text((2, 2, 0, 0, 1, 1)), cell_text((2, 0, 1, 0, 1, 1))
    ('x', '2a(x)2b(x)', '2a(x)2a(x)')
    """
    plain = _terms(cell, {}, weightless)[1]
    twins: dict[str, list[int]] = {}
    for edge, term in plain.items():
        if cell[edge] not in weightless:
            twins.setdefault(term, []).append(edge)
    texts = []
    # Four nodes leave few twins: trying all orders is exact and cheap.
    for orders in product(*(permutations(edges) for edges in twins.values())):
        names = {edge: "abcdef"[n] for order in orders for n, edge in enumerate(order)}
        texts.append(_terms(cell, names, weightless)[0])
    return min(texts)


def _terms(cell: Codes, names: Mapping[int, str], weightless: frozenset[int]) -> tuple[str, dict[int, str]]:
    """The output's formula, and the term of every live edge that has an operation."""
    sums: list[list[str]] = [["x"]]
    terms: dict[int, str] = {}
    for to in range(1, NODES):
        total: list[str] = []
        for edge, (source, end) in enumerate(EDGES):
            if end != to or cell[edge] == NONE or not sums[source]:
                continue
            if cell[edge] == SKIP:
                total += sums[source]
            else:
                terms[edge] = f"{cell[edge]}{names.get(edge, '')}({''.join(sums[source])})"
                total.append(terms[edge])
        sums.append(sorted(total))
    live = live_edges(cell)
    return "".join(sums[-1]) or "0", {edge: term for edge, term in terms.items() if edge in live}


def live_edges(cell: Codes) -> list[int]:
    """The edges on a path from the cell's input to its output without a "none"."""
    # `EDGES` are sorted by their ends: one pass forwards and one backwards reach everything.
    begun, ending = {0}, {NODES - 1}
    for edge, (source, to) in enumerate(EDGES):
        if cell[edge] != NONE and source in begun:
            begun.add(to)
    for edge, (source, to) in reversed(list(enumerate(EDGES))):
        if cell[edge] != NONE and to in ending:
            ending.add(source)
    return [e for e, (a, b) in enumerate(EDGES) if cell[e] != NONE and a in begun and b in ending]


def cell_graph(cell: Codes, operations: Sequence[str]) -> Graph:
    """A node per live edge, an edge from each to those that read the node where it ends."""
    live = live_edges(cell)
    labels = ("input", *(operations[cell[e]] for e in live), "output")
    ends = [0, *(EDGES[e][1] for e in live)]
    starts = [*(EDGES[e][0] for e in live), NODES - 1]
    edges = [(i, j + 1) for j, start in enumerate(starts) for i, end in enumerate(ends) if end == start]
    groups = ("input", *(f"node {EDGES[e][1]}" for e in live), "output")
    return build_graph(labels, tuple(sorted(edges)), groups)
