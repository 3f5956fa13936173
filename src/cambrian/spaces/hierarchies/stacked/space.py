"""Micro and macro architecture at once (Elsken et al. 2019, arXiv 1808.05377, Sec. 2: both ideally are
searched together): a cell of another space, and how it is stacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, OneOf
from cambrian.errors import UnknownName
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.cells.blocks import MOST as BLOCKS
from cambrian.spaces.cells.blocks import limits_of
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.knowledge import Canonical, Graphs
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.hierarchies.stacked.network import MakeCell, Plan

CELLS = {"nasbench201": 1, "pnas": 2}  # how many states a cell reads
WIDEN = (1.0, 1.5, 2.0)
MOST = 30  # stages, and cells of a stage
SETTINGS = ("filters",)


@dataclass(frozen=True)
class Stacked(Space):
    """Up to `stages` of up to `cells` equal cells each. Every stage says how many cells it has, how much
    wider it is than the one before, and whether it halves the image. The cell is one of the space that
    `cell` names, its questions asked under `cell/`; PNAS's has up to `blocks` blocks.

    A level of growth is a number of stages: the first one brings the cell. The blocks of a PNAS cell are
    an answer like any other here, for a space has one complexity order."""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 24, 32))

    stages: int = 3
    cells: int = 3
    cell: str = "nasbench201"
    blocks: int = 5

    measure = "uniform over answers of the stacking, question by question; the cell as in its own space"

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise UnknownName("cell space", self.cell, CELLS)
        check_bounds("stacked", MOST, stages=self.stages, cells=self.cells)
        check_bounds("stacked", BLOCKS, blocks=self.blocks)

    @property
    def micro(self) -> NASBench201 | PNAS:
        """The space of the cell alone."""
        return NASBench201() if self.cell == "nasbench201" else PNAS(blocks=self.blocks)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        self.micro.program(Pick(lambda choice: pick.ask(_of_the_cell(choice))))
        for s in range(1, pick.depth("stages", 1, self.stages) + 1):
            pick(at("stage", s, "/cells"), tuple(range(1, self.cells + 1)))
            pick(at("stage", s, "/widen"), WIDEN)
            pick(at("stage", s, "/halve"), (False, True))

    def cell_of(self, architecture: Mapping[str, Answer]) -> Architecture:
        """The answers of the cell, as its own space asks for them."""
        return Architecture({p[5:]: a for p, a in architecture.items() if p.startswith("cell/")})

    def stacking(self, architecture: Mapping[str, Answer]) -> Iterator[tuple[int, float, bool]]:
        """(cells, widen, halve) of every stage."""
        for s in range(1, int(architecture["stages"]) + 1):  # type: ignore[arg-type]
            cells, widen, halve = (architecture[f"stage{s}/{q}"] for q in ("cells", "widen", "halve"))
            yield int(cells), float(widen), bool(halve)  # type: ignore[arg-type]

    @property
    def shared(self) -> tuple[str, ...]:
        """The cell, and how many of them a stage has. How wide a stage is, and with it the number of stages,
        is outer, and so is where the image is halved: a convolution lies before such a stage."""
        return (*(f"cell/{path}" for path in self.micro.shared), "stage#/cells")

    def plan(self, architecture: Architecture) -> Plan:
        """The stages, and the plan of the cell."""
        from cambrian.spaces.hierarchies.stacked.network import Plan, Stage

        micro, cell = self.micro, self.cell_of(architecture)
        stages = tuple(Stage(*stage) for stage in self.stacking(architecture))
        return Plan(stages, micro.plan(cell)[1] if isinstance(micro, NASBench201) else micro.plan(cell))

    def make(self, read: Reading[Plan], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters` of the stem (16). An image of one pixel is not halved."""
        from cambrian.spaces.hierarchies.stacked.network import BlockCells, EdgeCells, Stacked

        micro, side = self.micro, min(task.height, task.width)
        if isinstance(micro, NASBench201):
            cell: MakeCell = EdgeCells(read)
        else:
            cell = BlockCells(read, limits_of(micro.form, "cell/", passes=False))
        return Stacked(read, cell, self.cells, task.channels, side, task.classes, **skeleton)

    def canonical(self, architecture: Architecture) -> str:
        """The cells between convolutions, and the cell's own text: where nothing lies between two stages only
        their number of cells together counts."""
        parts: list[list[float]] = [[0]]
        for cells, widen, halve in self.stacking(architecture):
            # Such a stage has no convolution of its own: its cells follow those before it.
            if widen == 1 and not halve:
                parts[-1][0] += cells
            else:
                parts.append([cells, widen, halve])
        names = self.micro.know(Canonical)
        assert names is not None
        stacked = " ".join("/".join(f"{x:g}" for x in part) for part in parts)
        return f"{stacked} of {names.canonical(self.cell_of(architecture))}"

    def graph(self, architecture: Architecture) -> Graph:
        """All cells, one after the other, and the convolutions before stages."""
        graphs = self.micro.know(Graphs)
        assert graphs is not None
        drawn = _Drawing(graphs.graph(self.cell_of(architecture)), CELLS[self.cell])
        for s, (cells, widen, halve) in enumerate(self.stacking(architecture), 1):
            if widen != 1 or halve:
                drawn.start(f"conv3x3 x{widen:g}" + "/2" * halve, f"stage {s}")
            for c in range(1, cells + 1):
                drawn.cell(f"stage {s} cell {c}")
        return drawn.graph()


@lru_cache(maxsize=1 << 10)
def _of_the_cell(choice: Choice) -> Choice:
    """A question of the cell's space as this one asks it: a depth is an answer like any other."""
    plain = {"depth": False, "module": False} if isinstance(choice, OneOf) else {}
    parts = ("cell/", *choice.parts) if choice.parts else ()
    return replace(choice, path=f"cell/{choice.path}", parts=parts, **plain)


class _Drawing:
    """A graph that grows by copies of a cell's, whose first `inputs` nodes are its inputs and whose last
    is its output."""

    def __init__(self, cell: Graph, inputs: int) -> None:
        self._cell, self._inputs = cell, inputs
        self._labels, self._groups = ["input"], ["input"]
        self._edges: list[tuple[int, int]] = []
        self._states = (0, 0)  # outputs of the two cells before

    def start(self, label: str, group: str) -> None:
        self._edges.append((self._states[1], self._add(label, group)))
        self._states = (len(self._labels) - 1, len(self._labels) - 1)

    def cell(self, group: str) -> None:
        names = dict(enumerate(self._states[2 - self._inputs :]))
        for n, label in enumerate(self._cell.labels[self._inputs :], self._inputs):
            names[n] = self._add("sum" if label == "output" else label, group)
        links = {(names[a], names[b]) for a, b in self._cell.edges}
        self._edges += sorted(links)  # at the start of a stage both states are one
        self._states = (self._states[1], len(self._labels) - 1)

    def graph(self) -> Graph:
        self._edges.append((self._states[1], self._add("output", "output")))
        return build_graph(tuple(self._labels), tuple(self._edges), tuple(self._groups))

    def _add(self, label: str, group: str) -> int:
        self._labels.append(label)
        self._groups.append(group)
        return len(self._labels) - 1
