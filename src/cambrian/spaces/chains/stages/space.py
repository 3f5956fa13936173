"""Chains of stages: the residual, plain, mobile and separable networks that a practitioner would train by
hand, as one space. It is the space of a search within a time, whose portfolio is raced (see `portfolio`).

The design follows those of He et al. 2016 (stages that halve the image and double the channels) and
Radosavovic et al. 2020 (arXiv 2003.13678, RegNet: a block, a depth and a width for each stage); the kinds of
blocks are in `network`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import read_whole
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.chains.stages.widths import FILTERS, choose_stem_stride, list_shortcuts
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.chains.stages.network import Plan

Row = tuple[Any, ...]  # the answers of a stage, in the order of QUESTIONS
BLOCKS = ("plain", "residual", "pooled", "paired", "bottleneck", "inverted", "fused", "separable")
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
KERNELS = (3, 5)
POOLS = ("mean", "max")
QUESTIONS = ("block", "depth", "width", "kernel")
"""The questions of a stage."""
MOST = 6
"""Stages: six halve an image of 128 pixels to four."""
DEEPEST = 12
"""Blocks of a stage."""

MORPHS = {"stage#/depth": "deepen", "stage#/width": "widen", "stage#/kernel": "kernel"}


def keeps_shortcuts(parent: Architecture, child: Architecture) -> bool:
    """Whether the same blocks of both are added to their inputs as they are: where a width makes or ends such
    a connection, no weights give the child its parent's function."""
    return _list_shortcuts(parent) == _list_shortcuts(child)


def _list_shortcuts(architecture: Architecture) -> list[bool]:
    stages = range(1, read_whole(architecture["stages"]) + 1)
    blocks = [str(architecture[f"stage{n}/block"]) for n in stages]
    widths = [float(architecture[f"stage{n}/width"]) for n in stages]  # type: ignore[arg-type]
    return list_shortcuts(blocks, widths)


@dataclass(frozen=True)
class Stages(Space):
    """One to `stages` stages of one to `depth` blocks. A level is the number of stages.

    In a supernet, the kinds of blocks and the last pooling are shared; depths, widths and kernels are
    outer."""

    stages: int = 4
    depth: int = 3

    skeleton = ("filters", "stem_stride", "dropout")
    sizes = list_sizes(filters=FILTERS)
    shared = ("stage#/block", "pool")
    measure = "uniform over the number of stages, then over answers"

    def __post_init__(self) -> None:
        check_bounds("stages", MOST, stages=self.stages)
        check_bounds("stages", DEEPEST, depth=self.depth)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self), AnswerMorphs(self, MORPHS, keeps=keeps_shortcuts))

    def program(self, pick: Pick) -> None:
        count = pick.depth("stages", 1, self.stages)
        pick("pool", POOLS)
        for n in range(1, count + 1):
            pick(at("stage", n, "/block"), BLOCKS)
            pick(at("stage", n, "/depth"), tuple(range(1, self.depth + 1)))
            pick(at("stage", n, "/width"), WIDTHS)
            pick(at("stage", n, "/kernel"), KERNELS)

    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Networks made by hand or published, fitted to this space, the favourites first: an order for
        trainings of minutes on a CPU (`benchmarks/portfolio.py` measures it)."""
        networks = {name: _read_network(pool, rows) for name, (pool, rows) in PORTFOLIO.items()}
        return {name: network for name, network in networks.items() if self._holds(network)}

    def plan(self, architecture: Architecture) -> Plan:
        from cambrian.spaces.chains.stages.network import Plan, Stage

        rows = self._list_stages(architecture)
        return Plan(tuple(Stage(*row) for row in rows), str(architecture["pool"]))

    def make(self, read: Reading[Plan], task: Signature, **skeleton: Any) -> nn.Module:
        """`filters` (16) are the channels of the first stage, doubled at each later one. `stem_stride`
        reduces the image before it: by default images above 64 pixels by 2, and those of 128 or more by 4.
        `dropout` (0) is before the linear layer."""
        from cambrian.spaces.chains.stages.network import network

        shape = (task.channels, min(task.height, task.width), task.classes)
        return network(read, shape, **{**self.read_size(task), **skeleton})

    def read_size(self, task: Signature) -> dict[str, Any]:
        return {"stem_stride": choose_stem_stride(min(task.height, task.width))}

    def canonical(self, architecture: Architecture) -> str:
        """In the first stage, which does not halve the image, a pooled block is a residual one."""
        rows = [list(row) for row in self._list_stages(architecture)]
        rows[0][0] = "residual" if rows[0][0] == "pooled" else rows[0][0]
        return f"{architecture['pool']} {rows}"

    def graph(self, architecture: Architecture) -> Graph:
        """A chain of stages; the blocks of one are one node."""
        rows = self._list_stages(architecture)
        names = [f"{block}{kernel} x{depth}, width {width:g}" for block, depth, width, kernel in rows]
        labels = ("input", *names, f"{architecture['pool']} pool", "output")
        groups = ("input", *(f"stage {n}" for n in range(1, len(rows) + 1)), "pool", "output")
        return build_graph(labels, tuple((i, i + 1) for i in range(len(labels) - 1)), groups)

    def _list_stages(self, architecture: Architecture) -> list[Row]:
        count = int(architecture["stages"])  # type: ignore[arg-type]
        paths = [f"stage{n}/" for n in range(1, count + 1)]
        return [tuple(architecture[path + name] for name in QUESTIONS) for path in paths]

    def _holds(self, architecture: Architecture) -> bool:
        return int(architecture["stages"]) <= self.stages and all(  # type: ignore[arg-type]
            row[1] <= self.depth for row in self._list_stages(architecture)
        )


PORTFOLIO: dict[str, tuple[str, tuple[Row, ...]]] = {
    "pyramid": ("mean", (("pooled", 1),) * 4),
    "resnet9": ("mean", (("paired", 1), ("paired", 2), ("paired", 1), ("paired", 2))),
    "resnet-deep": ("mean", (("pooled", 1), ("pooled", 2), ("pooled", 2), ("pooled", 2))),
    "cnn": ("mean", (("plain", 1),) * 4),
    "resnet": ("mean", (("residual", 1),) * 3),
    "efficientnetv2": ("mean", (("fused", 1), ("fused", 2), ("inverted", 2), ("inverted", 2))),
    "nasnet-like": ("mean", (("separable", 1), ("separable", 2), ("separable", 2), ("separable", 1))),
    "bottleneck": ("mean", (("bottleneck", 2),) * 4),
    "mobilenet": ("mean", (("inverted", 1), ("inverted", 2), ("inverted", 2), ("inverted", 2))),
}
"""The last pooling, and the block and the depth of each stage; widths are the usual ones, kernels 3x3."""


def _read_network(pool: str, rows: tuple[Row, ...]) -> Architecture:
    answers: dict[str, Any] = {"stages": len(rows), "pool": pool}
    for n, (block, depth) in enumerate(rows, 1):
        full = dict(zip(QUESTIONS, (block, depth, 1.0, 3), strict=True))
        answers |= {f"stage{n}/{name}": answer for name, answer in full.items()}
    return Architecture(answers)
