"""The cells of NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635, Sec. 2.1): graphs of at most 7
vertices and 9 edges, from the input to the output, with one of three operations on every other vertex.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby, permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import SpaceError
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Pool, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.cells.nasbench101.network import Cell

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
READS = ("none", "read", "share")
EDGES = 9
SETTINGS = ("filters", "modules")

Row = tuple[int, ...]  # a vertex: its operation, and how it reads each vertex before it (of `READS`)


@dataclass(frozen=True)
class NASBench101(Space):
    """`vertices` of the largest cell, input and output included; a level is a number of vertices.

    Each vertex says how it reads those before it: not at all, instead of the output ("read"), or beside
    the output ("share"). Vertices that nobody reads are read by the output. So a cell grows by one vertex and
    keeps all its answers, and every answer but a vertex that reads nothing makes a cell of the paper.

    Of seven vertices that read each other as often as not, one cell in two thousand has nine edges or
    fewer: in spaces of more than five a vertex is drawn to read one or two others."""

    vertices: int = 5

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 32, 32, 64, 64, 128), modules=(1, 1, 1, 2, 2, 3, 3))
    measure = (
        "uniform over answers (sparse beyond 5 vertices), larger cells as likely as there are more of them"
    )

    def __post_init__(self) -> None:
        check_bounds("nasbench101", 7, 2, vertices=self.vertices)

    def program(self, pick: Pick) -> None:
        sizes = [float(len(OPERATIONS) ** (n - 2) * 3 ** ((n - 2) * (n - 1) // 2)) for n in self.levels]
        rows = []
        for v in range(1, pick.depth("vertices", 2, self.vertices, sizes) - 1):
            operation = OPERATIONS.index(str(pick(at("vertex", v, "/operation"), OPERATIONS)))
            # On average a vertex then reads about one other by "read" and half of one by "share".
            weights = None if self.vertices <= 5 else (v - 1.0, 1.0, 0.5)
            reads = [READS.index(str(pick(at("vertex", v, "/from", u), READS, weights))) for u in range(v)]
            pick.require(any(reads), f"vertex {v} reads nothing")
            rows.append((operation, *reads))
        pick.require(len(edges(rows)) <= EDGES, f"a cell has at most {EDGES} edges")

    @property
    def shared(self) -> tuple[str, ...]:
        """Every question: a vertex that is narrower has the first channels of the widest."""
        return ("vertices", "vertex#/operation", "vertex#/from#")

    def plan(self, architecture: Architecture) -> Cell:
        """The cell's operations and edges."""
        from cambrian.spaces.cells.nasbench101.network import Cell

        rows = self.rows(architecture)
        return Cell([OPERATIONS[row[0]] for row in rows], edges(rows))

    def make(self, read: Reading[Cell], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `filters` of the stem (128; 16 for small images) and `modules` per stack (3;
        1)."""
        from cambrian.spaces.cells.nasbench101.network import network

        settings = small(task, skeleton, filters=16, modules=1)
        return network(read, self.vertices - 2, task.channels, task.classes, **settings)

    def rows(self, architecture: Architecture) -> tuple[Row, ...]:
        """The vertices between input and output."""
        return tuple(
            (
                OPERATIONS.index(str(architecture[f"vertex{v}/operation"])),
                *(READS.index(str(architecture[f"vertex{v}/from{u}"])) for u in range(v)),
            )
            for v in range(1, self.level(architecture) - 1)
        )

    def architecture(self, rows: Sequence[Row]) -> Architecture:
        """The inverse of `rows`."""
        answers: dict[str, Scalar] = {"vertices": len(rows) + 2}
        for v, (operation, *reads) in enumerate(rows, start=1):
            answers[f"vertex{v}/operation"] = OPERATIONS[operation]
            answers |= {f"vertex{v}/from{u}": READS[read] for u, read in enumerate(reads)}
        return Architecture(answers)

    # Canonical

    def canonical(self, architecture: Architecture) -> str:
        """Equal for isomorphic cells."""
        return _text(self.rows(architecture))

    # Grows

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(2, self.vertices + 1))

    def level(self, architecture: Architecture) -> int:
        return int(architecture["vertices"])  # type: ignore[arg-type]

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """Every parent with every vertex it may be given; beyond `cap`, drawn uniformly from those."""
        cells = [self.rows(a) for a in parents]
        if len({len(c) for c in cells}) > 1:
            raise SpaceError("only architectures of one level can be grown together")
        pairs: list[tuple[int, tuple[Row, ...]]] = [] if parents else [(-1, ())]
        if parents and len(cells[0]) + 2 < self.vertices:
            new = _vertices(len(cells[0]) + 1)
            pairs = [(n, (*cell, row)) for n, cell in enumerate(cells) for row in new]
            # Every further vertex adds an edge at least: a cell with too many can be dropped now.
            pairs = [(n, rows) for n, rows in pairs if len(edges(rows)) <= EDGES]
        first: dict[str, tuple[int, tuple[Row, ...]]] = {}
        for pair in pairs:
            first.setdefault(_text(pair[1]), pair)
        chosen = list(first.values())
        if cap is not None and len(chosen) > cap:
            chosen = [chosen[i] for i in np.sort(rng.permutation(len(chosen))[:cap]).tolist()]
        return Pool(
            parents=tuple(parents),
            parent=np.array([n for n, _ in chosen], np.int64),
            step=self._tokens([rows for _, rows in chosen])[:, -1],
            before=len(pairs),
            complete=cap is None or len(first) <= cap,
            materialise=lambda i: self.architecture(chosen[i][1]),
        )

    # Encodes

    @property
    def slots(self) -> tuple[str, ...]:
        return ("operation", *("edge",) * max(self.vertices - 2, 0))

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"operation": len(OPERATIONS) + 1, "edge": len(READS) + 1}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, vertices of the largest - 1, 1 + vertices - 2]: a row of zeros for input and output,
        then one per vertex: its operation and how it reads those before, counted from 1."""
        return self._tokens([self.rows(a) for a in architectures])

    def _tokens(self, cells: Sequence[tuple[Row, ...]]) -> NDArray[np.int64]:
        longest = max(map(len, cells), default=0) + 1
        tokens = np.full((len(cells), longest, len(self.slots)), -1, np.int64)
        for token, rows in zip(tokens, cells, strict=True):
            token[: len(rows) + 1] = 0
            for n, row in enumerate(rows, start=1):
                token[n, : len(row)] = np.add(row, 1)
        return tokens

    # Graphs

    def graph(self, architecture: Architecture) -> Graph:
        rows = self.rows(architecture)
        labels = ("input", *(OPERATIONS[row[0]] for row in rows), "output")
        return build_graph(labels, tuple(sorted(edges(rows))), labels)


def edges(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """(from, to) of a cell's graph; vertex 0 is the input, the last the output."""
    output = len(rows) + 1
    inner = [(u, v) for v, row in enumerate(rows, 1) for u, read in enumerate(row[1:]) if read]
    read = {u for u, _ in inner}
    shared = {u for row in rows for u, read in enumerate(row[1:]) if READS[read] == "share"}
    return inner + [(u, output) for u in range(output) if u in shared or u not in read]


def graph_text(operations: Sequence[str], links: Iterable[tuple[int, int]]) -> str:
    """A text that is equal for isomorphic graphs: of all ways to number the vertices between input and output
    in the order of their operations' names, the one with the least edges."""
    links, output = list(links), len(operations) + 1
    # Only vertices with the same operation can change places: 5 of them make 120 orders at most.
    ranked = sorted(range(1, output), key=lambda v: operations[v - 1])
    alike = [tuple(group) for _, group in groupby(ranked, key=lambda v: operations[v - 1])]
    least: list[tuple[int, int]] | None = None
    for order in product(*map(permutations, alike)):
        name = {0: 0, output: output} | {v: n for n, v in enumerate(chain.from_iterable(order), 1)}
        renamed = sorted([(name[a], name[b]) for a, b in links])
        least = renamed if least is None else min(least, renamed)
    labels = (operations[v - 1] for v in ranked)
    return " ".join([*labels, *(f"{a}-{b}" for a, b in least or ())])


@cache
def _text(rows: tuple[Row, ...]) -> str:
    return graph_text([OPERATIONS[row[0]] for row in rows], edges(rows))


@cache
def _vertices(place: int) -> list[Row]:
    """All rows of a vertex at `place`."""
    reads = product(range(len(READS)), repeat=place)
    return [(op, *r) for r in reads if any(r) for op in range(len(OPERATIONS))]
