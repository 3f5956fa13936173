"""Cartesian genetic programming (Suganuma, Shirakawa & Nagao, GECCO 2017, arXiv 1704.00764, Sec. 3): a grid
of nodes, each a function of one or two outputs of the columns before it. Nodes on which the output
does not depend are inactive: they are inherited and mutated, but are not part of the network.

Left out is a complexity order (`Grows`): a genotype has a fixed length, and the last
question, the output's, decides which of its nodes count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture, questions, replay
from cambrian.choices import Answer
from cambrian.errors import Rejected, UnknownName
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.canonical import canonical_graph
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.chains.cgp.network import Genotype

BLOCKS = {"conv": "ConvBlock", "res": "ResBlock"}
FILTERS = (32, 64, 128)
KERNELS = (3, 5)
ONE_INPUT = ("max-pool", "avg-pool")
TWO_INPUTS = ("sum", "concat")
RATE = 0.05  # of genes that a forced mutation changes (Sec. 4.1)
TRIES = 100
ROWS, COLUMNS = 10, 50  # at most: the paper has 5 and 30
SETTINGS = ("width",)

Node = tuple[str, tuple[int, ...]]  # a function and its inputs, 0 being the image


@dataclass(frozen=True)
class CGP(Space):
    """A grid of `rows` x `columns` nodes; one reads the `levels_back` columns before its own, the image
    counting as one before the first. `blocks` are "conv" (ConvSet) or "res" (ResSet). Networks have
    `least` to `most` active nodes.

    Functions are shared: a node has weights for every kernel, narrow blocks the first filters of wide ones.
    The wiring is outer: it bounds how many channels concatenations may add up to."""

    skeleton = SETTINGS
    sizes = list_sizes(width=(0.25, 0.5, 1.0))
    shared = ("node#/function",)

    rows: int = 2
    columns: int = 6
    levels_back: int = 4
    blocks: str = "conv"
    least: int = 1
    most: int = 50

    measure = "uniform over genotypes with an allowed number of active nodes"

    def __post_init__(self) -> None:
        check_bounds("cgp", ROWS, rows=self.rows)
        check_bounds("cgp", COLUMNS, columns=self.columns, levels_back=self.levels_back)
        if self.blocks not in BLOCKS:
            raise UnknownName("kind of blocks", self.blocks, BLOCKS)
        check_bounds("cgp", ROWS * COLUMNS, most=self.most)
        check_bounds("cgp", min(self.most, self.rows * self.columns), least=self.least)

    @staticmethod
    def paper(blocks: str = "conv") -> CGP:
        """5 rows, 30 columns, 10 levels back, 10 to 50 active nodes (Table 2)."""
        return CGP(rows=5, columns=30, levels_back=10, blocks=blocks, least=10, most=50)

    @property
    def functions(self) -> tuple[str, ...]:
        names = (f"{BLOCKS[self.blocks]}({f},{k})" for f in FILTERS for k in KERNELS)
        return (*names, *ONE_INPUT, *TWO_INPUTS)

    def sources(self, column: int) -> tuple[int, ...]:
        """The inputs open to nodes of that column, counted from 0; the output counts as one column more."""
        first = column - self.levels_back
        nodes = range(max(first, 0) * self.rows + 1, column * self.rows + 1)
        return (*([0] if first < 0 else []), *nodes)

    def program(self, pick: Pick) -> None:
        nodes: dict[int, Node] = {}
        for n in range(1, self.rows * self.columns + 1):
            inside, sources = pick.inside("node", n), self.sources((n - 1) // self.rows)
            function = str(inside("function", self.functions))
            # Both inputs are asked for even where the function reads one: a genotype has a fixed length.
            nodes[n] = function, (inside(at("input", 1), sources), inside(at("input", 2), sources))
        used = len(_active(nodes, pick("output", self.sources(self.columns))))
        pick.require(self.least <= used <= self.most, f"{used} nodes are active")

    def plan(self, architecture: Architecture) -> Genotype:
        """The active nodes, and the wiring of all."""
        from cambrian.spaces.chains.cgp.network import Genotype

        nodes, output = self._nodes(architecture), _number(architecture["output"])
        active = tuple((n, nodes[n][0], _read(nodes[n])) for n in _active(nodes, output))
        return Genotype(active, tuple((one, other) for _, (one, other) in nodes.values()), output)

    def make(self, read: Reading[Genotype], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `width`, which multiplies all filters (1.0)."""
        from cambrian.spaces.chains.cgp.network import network

        image = (task.channels, task.height, task.width)
        return network(read, self.functions, image, task.classes, **skeleton)

    def _nodes(self, architecture: Mapping[str, Answer]) -> dict[int, Node]:
        """The nodes by their numbers."""
        return {
            n: (
                str(architecture[f"node{n}/function"]),
                (_number(architecture[f"node{n}/input1"]), _number(architecture[f"node{n}/input2"])),
            )
            for n in range(1, self.rows * self.columns + 1)
        }

    def active(self, architecture: Mapping[str, Answer]) -> list[Node]:
        """The active nodes in order, the output last, renumbered 1, 2, ... among themselves."""
        nodes = self._nodes(architecture)
        used = _active(nodes, _number(architecture["output"]))
        name = {0: 0} | {n: place for place, n in enumerate(used, 1)}
        return [(nodes[n][0], tuple(name[i] for i in _read(nodes[n]))) for n in used]

    def canonical(self, architecture: Architecture) -> str:
        """Equal for isomorphic active graphs. The operands of a sum may change places, not so those of a
        concatenation, whose channels are counted."""
        nodes = self.active(architecture)
        labels, inputs = ["input", *(f for f, _ in nodes)], [(), *(i for _, i in nodes)]
        return canonical_graph(labels, inputs, [label == "concat" for label in labels])

    def graph(self, architecture: Architecture) -> Graph:
        """The active nodes; an output that a node reads twice has one edge to it and "twice" in its label."""
        nodes = self.active(architecture)
        twice = [f"{f} twice" if len(set(i)) < len(i) else f for f, i in nodes]
        edges = [(s, n) for n, (_, inputs) in enumerate(nodes, 1) for s in sorted(set(inputs))]
        labels = ("input", *twice, "output")
        groups = ("input", *(f"node {n}" for n in range(1, len(nodes) + 1)), "output")
        return build_graph(labels, (*edges, (len(nodes), len(nodes) + 1)), groups)

    # Encodes

    @property
    def slots(self) -> tuple[str, ...]:
        return ("function", "input", "input")

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"function": len(self.functions), "input": min(self.most, self.rows * self.columns) + 1}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, active nodes of the largest, 3]: function and inputs of every active node, the one
        input of a pooling or block twice."""
        graphs = [self.active(a) for a in architectures]
        out = np.full((len(graphs), max(map(len, graphs), default=0), 3), -1, np.int64)
        for token, nodes in zip(out, graphs, strict=True):
            for row, (function, inputs) in zip(token, nodes, strict=False):
                row[:] = self.functions.index(function), inputs[0], inputs[-1]
        return out

    # Moves

    @property
    def moves(self) -> tuple[str, ...]:
        return ("forced", "neutral")

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """The mutations of Sec. 3.3: "forced" changes genes until an active node is another; "neutral"
        changes genes of inactive nodes alone, so that another network is near."""
        before = self.active(architecture)
        for _ in range(TRIES):
            child = self._mutate(architecture, rng)
            # Active genes decide: a mutation of an inactive one leaves the network as it is.
            same = child is not None and self.active(child) == before
            if child is not None and child != architecture and same == (kind == "neutral"):
                return child
        return None

    def _mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """Every gene drawn anew with a small chance; None where the space rejects that."""
        asked = questions(self, architecture)
        genes = [choice for choice in asked if rng.random() < RATE]
        try:
            # A replay, since the number of active nodes may now be out of bounds.
            return replay(self, {**architecture, **{c.path: c.draw(rng) for c in genes}})
        except Rejected:
            return None


def _read(node: Node) -> tuple[int, ...]:
    function, inputs = node
    return inputs if function in TWO_INPUTS else inputs[:1]


def _active(nodes: Mapping[int, Node], output: int) -> list[int]:
    """The nodes that the output depends on, ascending."""
    active, todo = set[int](), [output]
    while todo:
        n = todo.pop()
        if n and n not in active:
            active.add(n)
            todo += _read(nodes[n])
    return sorted(active)


def _number(answer: Answer) -> int:
    return int(answer)  # type: ignore[arg-type]
