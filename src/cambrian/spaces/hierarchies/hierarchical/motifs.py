"""Motifs of motifs as values: the live part of a motif, and its flat graph of primitives.

A motif is its edges (from, to, operation, like), those to a node before those from it. Node 1 is its input,
and the end of the last edge its output; edges that meet at a node are concatenated, in order. An operation is
the name of a primitive or a motif. `like` is 0, or the node that has as many channels as the operation gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from cambrian.spaces.graphs.canonical import canonical_graph
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.space import Graph

NONE = "none"
CONVOLUTIONS = frozenset({"conv1x1", "sep3x3"})  # these mix channels; all else treats them one by one
WEIGHTLESS = frozenset({"max3x3", "avg3x3"})

Edge = tuple[int, int, "str | Motif", int]
Motif = tuple[Edge, ...]


def live(edges: Sequence[Edge], nodes: int) -> Motif:
    """The edges on a path from node 1 to the last one without a cut edge ("none", or an empty motif),
    sorted by their ends."""
    whole = sorted((e for e in edges if e[2] and e[2] != NONE), key=lambda e: (e[1], e[0]))
    begun, ending = {1}, {nodes}
    # Edges are in the order of their ends, so that one pass up marks all that is reached, and one down
    # all that leads to the output.
    for source, to, _, _ in whole:
        if source in begun:
            begun.add(to)
    for source, to, _, _ in sorted(whole, key=lambda e: -e[1]):
        if to in ending:
            ending.add(source)
    return tuple(e for e in whole if e[0] in begun and e[1] in ending)


def flatten(motif: Motif) -> tuple[Motif, list[str]]:
    """The same graph of primitives only, and per edge which edge of `motif` it is part of ("1 to 3")."""
    edges: list[Edge] = []
    groups: list[str] = []
    fresh = count(3)

    def place(inner: Motif, start: int, end: int, group: str) -> None:
        """Put `inner` between two nodes."""
        # Node 0 stands for "like no node": it keeps its number.
        names = {0: 0, 1: start, inner[-1][1]: end}
        for source, to, operation, like in inner:
            part = group or f"{source} to {to}"
            if to not in names:
                names[to] = next(fresh)
            if isinstance(operation, str):
                edges.append((names[source], names[to], operation, names[like]))
                groups.append(part)
            else:
                place(operation, names[source], names[to], part)

    place(motif, 1, 2, "")
    return tuple(edges), groups


def motif_graph(motif: Motif) -> Graph:
    """A node per primitive, an edge from each to those that read the node where it ends; edges that meet are
    concatenated."""
    edges, parts = flatten(motif)
    labels = ("input", *(str(operation) for _, _, operation, _ in edges), "output")
    ends = [1, *(to for _, to, _, _ in edges)]
    starts = [*(source for source, _, _, _ in edges), edges[-1][1]]
    links = [(i, j + 1) for j, start in enumerate(starts) for i, end in enumerate(ends) if end == start]
    return build_graph(labels, tuple(sorted(links)), ("input", *parts, "output"))


Atom = tuple[str, tuple[int, ...], tuple[int, int]]  # label, atoms read, channels (of the input's, of C)


def motif_text(motif: Motif) -> str:
    """The same for motifs that are the same function of the same weights.

    A concatenation has no order, since its readers may permute their weights; an identity is its input;
    pooling or depthwise convolution of a concatenation is that of its parts. So every node is a bag of
    atoms: outputs of a convolution, or of an operation without mixing on one other atom."""
    edges, _ = flatten(motif)
    atoms: list[Atom] = [("input", (), (1, 0))]
    bags: dict[int, list[int]] = {1: [0]}
    for source, to, operation, like in edges:
        name = str(operation)
        read = bags[source]
        if name == "identity":
            outputs = read
        elif name in CONVOLUTIONS:
            # Widths are counted in channels of the input and of C, since neither is known here.
            widths = [atoms[a][2] for a in bags[like]] if like else [(0, 1)]
            outputs = [
                _add(
                    atoms, (name, tuple(sorted(read)), (sum(w[0] for w in widths), sum(w[1] for w in widths)))
                )
            ]
        else:
            outputs = [_add(atoms, (name, (a,), atoms[a][2])) for a in read]
        bags.setdefault(to, []).extend(outputs)
    atoms.append(("output", tuple(bags[edges[-1][1]]), (0, 0)))
    labels = [f"{name}({a},{b})" for name, _, (a, b) in atoms]
    return canonical_graph(labels, [read for _, read, _ in atoms])


def _add(atoms: list[Atom], atom: Atom) -> int:
    """The index of the atom; two without weights that read the same are one."""
    if atom[0] in WEIGHTLESS and atom in atoms:
        return atoms.index(atom)
    atoms.append(atom)
    return len(atoms) - 1
