"""Gates of cells with an operation on each edge of four nodes (see `cambrian.spaces.cells.edges`): a derived
cell computes something."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.spaces.cells.edge_cells import PATHS, EdgeCells
from cambrian.spaces.cells.edges import EDGES, NODES, NONE, live_edges
from cambrian.spaces.gates import ForkGates, find_largest

ROUTES = tuple(
    tuple(EDGES.index(edge) for edge in pairwise((0, *between, NODES - 1)))
    for count in range(NODES - 1)
    for between in combinations(range(1, NODES - 1), count)
)
"""The ways from the input to the output, as edges."""


@dataclass(frozen=True)
class EdgeGates(ForkGates):
    """`Mixes` of a space of these `cells`."""

    cells: EdgeCells = EdgeCells(())

    def derive(self, gates: Mapping[str, Sequence[float]], outer: Mapping[str, Answer]) -> Architecture:
        """The argmax of each gate, as in the published searches; where none is the strongest on every way
        from the input to the output, which leaves a network of constants, the most probable cell that has a
        way."""
        derived = super().derive(gates, outer)
        codes = self.cells.codes(derived)
        if live_edges(codes):
            return derived
        absent = {e: gates[PATHS[e]] for e, code in enumerate(codes) if code == NONE}
        second = {e: find_largest(gate, without=NONE) for e, gate in absent.items()}
        losses = {e: _compare(gate[NONE], gate[second[e]]) for e, gate in absent.items()}
        # Off the way every edge keeps its strongest operation, so that no other cell is more probable.
        route = min(ROUTES, key=lambda route: sum(losses.get(e, 0.0) for e in route))
        return self.cells.architecture(
            [second[e] if e in route and e in second else code for e, code in enumerate(codes)]
        )


def _compare(greater: float, less: float) -> float:
    """The logarithm of the ratio of two probabilities, the second of which may be 0."""
    return math.log(greater / less) if less > 0 else math.inf
