"""The recurrent cells of DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055, Sec. 2.1 and 3.1), with
ENAS's output (Pham et al., ICML 2018, arXiv 1802.03268, Sec. 2.1) as a setting.

A cell begins with a node that reads the input and the last output. Each further node reads one node
before it and has one of four activations. So a cell is a tree whose nodes are labelled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Scalar, read_whole
from cambrian.errors import UnknownName
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.sequences.recurrent.common import ACTIVATIONS, RecurrentCells
from cambrian.spaces.space import Graph, Pick, Signature

if TYPE_CHECKING:
    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.sequences.recurrent.network import Highway, MakeCell

MOST = 30  # nodes
OUTPUTS = ("all", "unused")

Node = tuple[str, int]  # its activation, and the node it reads: 0 is the first, k the k-th further one

DARTS_V1: tuple[Node, ...] = (
    ("relu", 0),
    ("relu", 1),
    ("tanh", 2),
    ("relu", 3),
    ("relu", 4),
    ("identity", 1),
    ("relu", 5),
    ("relu", 1),
)
"""Found by first-order DARTS on Penn Treebank, as released."""

DARTS_V2: tuple[Node, ...] = (
    ("sigmoid", 0),
    ("relu", 1),
    ("relu", 1),
    ("identity", 1),
    ("tanh", 2),
    ("sigmoid", 5),
    ("tanh", 3),
    ("relu", 5),
)
"""Found by second-order DARTS (Fig. 6)."""

ENAS: tuple[Node, ...] = (
    ("tanh", 0),
    ("tanh", 1),
    ("relu", 1),
    ("tanh", 3),
    ("tanh", 3),
    ("relu", 3),
    ("relu", 4),
    ("relu", 7),
    ("relu", 8),
    ("relu", 8),
    ("relu", 8),
)
"""Found by ENAS (Pham et al. 2018, Fig. 6): a cell of `DARTSRNN.enas()`."""

HIGHWAY: tuple[Node, ...] = (("tanh", 0), ("tanh", 1))
"""A recurrent highway network of three steps (Zilly et al., ICML 2017, arXiv 1607.03474, Sec. 4), whose
output is the mean of the last two."""

PORTFOLIO: dict[str, tuple[Node, ...]] = {
    "highway": HIGHWAY,
    "shallow": HIGHWAY[:1],
    "darts-v1": DARTS_V1,
    "darts-v2": DARTS_V2,
    "enas": ENAS,
}


@dataclass(frozen=True)
class DARTSRNN(RecurrentCells):
    """`nodes`: those of the largest cell beyond the first (the paper's 8). `output`: the mean of "all"
    of these, as in DARTS, or of the "unused" ones, which no other reads, as in ENAS.

    All questions are shared: a node has the same weights whatever it reads, as in DARTS's search."""

    shared = ("nodes", "node#/input", "node#/activation")

    nodes: int = 8
    output: str = "all"

    measure = "uniform over numbers of nodes, then over ordered cells of as many"

    @staticmethod
    def enas() -> DARTSRNN:
        return DARTSRNN(nodes=11, output="unused")

    def __post_init__(self) -> None:
        check_bounds("darts-rnn", MOST, nodes=self.nodes)
        if self.output not in OUTPUTS:
            raise UnknownName("output", self.output, OUTPUTS)

    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Published cells, the favourites first; of one layer, for trainings of minutes on a CPU."""
        return {name: self.architecture(cell) for name, cell in PORTFOLIO.items() if len(cell) <= self.nodes}

    def read_size(self, task: Signature) -> dict[str, Scalar]:
        return {}

    def size(self, level: int) -> int:
        """How many ordered cells have `level` nodes.

        >>> DARTSRNN().size(8)
        2642411520
        """
        labels: int = len(ACTIVATIONS) ** level
        # Node n reads one of n nodes: 1 * 2 * ... * level wirings.
        return math.factorial(level) * labels

    def program(self, pick: Pick) -> None:
        for n in range(1, pick.depth("nodes", 1, self.nodes) + 1):
            pick(at("node", n, "/input"), _names(n))
            pick(at("node", n, "/activation"), ACTIVATIONS)

    def plan(self, architecture: Architecture) -> Highway:
        """The nodes, and those that are averaged as output."""
        from cambrian.spaces.sequences.recurrent.network import Highway

        cell = self.cell(architecture)
        return Highway(cell, self.outputs(cell))

    def make_cell(self, read: Reading[Highway]) -> MakeCell:
        from cambrian.spaces.sequences.recurrent.network import HighwayCell

        return partial(HighwayCell, read, self.nodes)

    def cell(self, architecture: Architecture) -> tuple[Node, ...]:
        """The nodes beyond the first."""
        sources = _names(self.nodes)
        return tuple(
            (
                str(architecture[f"node{n}/activation"]),
                sources.index(str(architecture[f"node{n}/input"])),
            )
            for n in range(1, read_whole(architecture["nodes"]) + 1)
        )

    def architecture(self, cell: Sequence[Node]) -> Architecture:
        """The inverse of `cell`."""
        answers: dict[str, Scalar] = {"nodes": len(cell)}
        for n, (activation, source) in enumerate(cell, 1):
            answers |= {f"node{n}/input": _names(n)[source], f"node{n}/activation": activation}
        return Architecture(answers)

    def outputs(self, cell: Sequence[Node]) -> tuple[int, ...]:
        """The nodes whose mean is the cell's output."""
        # With "all" no node is left out, read or not (DARTS, Sec. 3.1).
        used = {source for _, source in cell} if self.output == "unused" else set()
        return tuple(n for n in range(1, len(cell) + 1) if n not in used)

    def canonical(self, architecture: Architecture) -> str:
        """Equal for cells that differ only in the order of nodes: the tree, written with the branches of
        every node in alphabetical order (Aho, Hopcroft & Ullman 1974, Sec. 3.2)."""
        cell = self.cell(architecture)
        branches: list[list[str]] = [[] for _ in range(len(cell) + 1)]
        for n in range(len(cell), 0, -1):  # readers of a node come after it
            activation, source = cell[n - 1]
            branches[source].append(f"{activation}({' '.join(sorted(branches[n]))})")
        return " ".join(sorted(branches[0]))

    def graph(self, architecture: Architecture) -> Graph:
        """The input and the last output, a node per activation, at last the mean."""
        cell = self.cell(architecture)
        labels = ("input", "last output", "tanh", *(activation for activation, _ in cell), "mean")
        groups = ("inputs", "inputs", "node 0", *(f"node {n + 1}" for n in range(len(cell))), "output")
        edges = [(0, 2), (1, 2)]
        edges += [(2 + source, 2 + n) for n, (_, source) in enumerate(cell, 1)]
        edges += [(2 + n, len(labels) - 1) for n in self.outputs(cell)]
        return build_graph(labels, tuple(edges), groups)


def _names(n: int) -> tuple[str, ...]:
    """The nodes that node n may read."""
    return ("node0", *(f"node{k}" for k in range(1, n)))
