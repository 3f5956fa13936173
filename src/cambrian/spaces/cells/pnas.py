"""The cells of Progressive Neural Architecture Search (Liu et al., ECCV 2018, arXiv 1712.00559, Sec. 3).

A cell is up to B blocks (I1, I2, O1, O2): operation O1 of input I1 plus operation O2 of input I2.
Inputs are the outputs of the two previous cells and of the blocks before. One cell makes a network:
it is repeated, with stride 2 where the image shrinks.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture, replay
from cambrian.choices import Scalar
from cambrian.errors import SpaceError, UnknownName
from cambrian.spaces.cells.isomorphism import Block, canonical_cell
from cambrian.spaces.cells.pnas_growth import grow
from cambrian.spaces.space import Graph, Pick, Pool, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

OPERATIONS = ("sep3x3", "sep5x5", "sep7x7", "conv1x7-7x1", "identity", "avg3x3", "max3x3", "dil3x3")
OUTPUTS = ("all", "unused")
CELL_INPUTS = ("previous-previous", "previous")


@dataclass(frozen=True)
class PNAS(Space):
    """`blocks`: the largest cell (the paper's B). `output`: concatenate "all" block outputs, as the
    released PNASNet-5 does, or only the "unused" ones, NASNet's rule."""

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS
    output: str = "all"

    measure = "uniform over ordered cells, of all numbers of blocks together"

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise SpaceError(f"space 'pnas': a cell has at least 1 block, got blocks={self.blocks}")
        for name in self.operations:
            if name not in OPERATIONS:
                raise UnknownName("operation", name, OPERATIONS)
        if not self.operations or len(set(self.operations)) != len(self.operations):
            raise SpaceError(
                f"space 'pnas': operations must be distinct and at least one, got {self.operations}"
            )
        if self.output not in OUTPUTS:
            raise UnknownName("output", self.output, OUTPUTS)

    def size(self, level: int) -> int:
        """How many ordered cells have `level` blocks: |B_1:b| in the paper.

        >>> PNAS().size(5)
        556627761561600
        """
        return math.prod((b + 1) ** 2 * len(self.operations) ** 2 for b in range(1, level + 1))

    def program(self, pick: Pick) -> None:
        weights = [float(self.size(b)) for b in self.levels]
        for b in range(1, pick.depth("blocks", 1, self.blocks, weights) + 1):
            for operand in ("1", "2"):
                pick(f"block{b}/input{operand}", self._inputs[: b + 1])
                pick(f"block{b}/operation{operand}", self.operations)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """See `cambrian.networks.models.cell_network.cell_network` for the settings of a skeleton; which
        skeleton it is follows from the image's size unless `skeleton=` names it. Its operations keep
        shapes by construction, for every cell alike, so no forward is spent on checking them."""
        from cambrian.networks.models.cell_network import cell_network

        settings: dict[str, Any] = {**_default_skeleton(min(task.height, task.width)), **skeleton}
        known = inspect.signature(cell_network).parameters.values()
        valid = [p.name for p in known if p.kind is p.KEYWORD_ONLY and p.name != "output"]
        for name in settings:
            if name not in valid:
                raise UnknownName("skeleton setting", name, valid)
        names = self.operations
        cell = self.cell(replay(self, architecture))
        blocks = [(i1, names[o1], i2, names[o2]) for i1, i2, o1, o2 in cell]
        return cell_network(blocks, task.channels, task.classes, output=self.output, **settings)

    def cell(self, architecture: Architecture) -> list[Block]:
        """The tokens (I1, I2, O1, O2) of every block; input 0 is previous-previous, 1 previous, 2 + k
        block k of the cell, counted from 0."""
        inputs, operations = {name: i for i, name in enumerate(self._inputs)}, self.operations
        return [
            (
                inputs[str(architecture[f"block{b}/input1"])],
                inputs[str(architecture[f"block{b}/input2"])],
                operations.index(str(architecture[f"block{b}/operation1"])),
                operations.index(str(architecture[f"block{b}/operation2"])),
            )
            for b in range(1, self.level(architecture) + 1)
        ]

    def architecture(self, cell: Sequence[Sequence[int]]) -> Architecture:
        """The inverse of `cell`."""
        inputs, operations = self._inputs, self.operations
        answers: dict[str, Scalar] = {"blocks": len(cell)}
        for b, (i1, i2, o1, o2) in enumerate(cell, 1):
            answers[f"block{b}/input1"] = inputs[i1]
            answers[f"block{b}/operation1"] = operations[o1]
            answers[f"block{b}/input2"] = inputs[i2]
            answers[f"block{b}/operation2"] = operations[o2]
        return Architecture(answers)

    @property
    def _inputs(self) -> tuple[str, ...]:
        return (*CELL_INPUTS, *(f"block{b}" for b in range(1, self.blocks)))

    # Canonical

    def canonical(self, architecture: Architecture) -> str:
        """Equal for cells that differ only in the order of operands or blocks."""
        form = canonical_cell(self.cell(architecture), len(self.operations))
        return " ".join(f"{self._operand(p)}+{self._operand(q)}" for p, q in form)

    def _operand(self, code: int) -> str:
        node, operation = divmod(code, len(self.operations))
        return f"{node}.{self.operations[operation]}"

    # Grows

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.blocks + 1))

    def level(self, architecture: Architecture) -> int:
        return int(architecture["blocks"])  # type: ignore[arg-type]

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """Every parent with every block it may be given, operands in either order being one block
        (which is what `before` counts); beyond `cap`, drawn uniformly from those pairs."""
        return grow(self, parents, rng, cap)

    # Encodes

    @property
    def slots(self) -> tuple[str, ...]:
        return ("input", "input", "operation", "operation")

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"input": self.blocks + 1, "operation": len(self.operations)}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, blocks of the largest, 4] (I1, I2, O1, O2), -1 beyond an architecture's own blocks."""
        cells = [self.cell(a) for a in architectures]
        tokens = np.full((len(cells), max(map(len, cells), default=0), 4), -1, np.int64)
        for row, cell in zip(tokens, cells):
            row[: len(cell)] = cell
        return tokens

    # Graphs

    def graph(self, architecture: Architecture) -> Graph:
        """Two inputs; per block two operations and their "add"; at last "concat"."""
        labels, groups = list(CELL_INPUTS), ["inputs", "inputs"]
        edges: list[tuple[int, int]] = []
        source = [0, 1]  # the graph's node for each of the cell's
        cell = self.cell(architecture)
        for b, (i1, i2, o1, o2) in enumerate(cell, 1):
            at = len(labels)
            labels += [self.operations[o1], self.operations[o2], "add"]
            groups += [f"block {b}"] * 3
            edges += [(source[i1], at), (source[i2], at + 1), (at, at + 2), (at + 1, at + 2)]
            source.append(at + 2)
        read = {i for i1, i2, _, _ in cell for i in (i1, i2)} if self.output == "unused" else set()
        edges += [(source[k], len(labels)) for k in range(2, len(source)) if k not in read]
        return Graph((*labels, "concat"), tuple(edges), (*groups, "output"))


def _default_skeleton(pixels: int) -> dict[str, Scalar]:
    if pixels <= 28:
        return {"skeleton": "small"}
    if pixels < 128:
        return {"skeleton": "cifar", "stem_stride": 1 if pixels <= 64 else 2}
    return {"skeleton": "imagenet-mobile"}
