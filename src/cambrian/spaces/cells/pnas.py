"""The cells of Progressive Neural Architecture Search (Liu et al., ECCV 2018, arXiv 1712.00559, Sec. 3).

A cell is up to B blocks (I1, I2, O1, O2): operation O1 of input I1 plus operation O2 of input I2.
Inputs are the outputs of the two previous cells and of the blocks before. One cell makes a network:
it is repeated, with stride 2 where the image shrinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import SpaceError, UnknownName
from cambrian.spaces.budgets import PaperSearch, list_sizes
from cambrian.spaces.cells.block_gates import BlockGates
from cambrian.spaces.cells.block_growth import children, pool_of
from cambrian.spaces.cells.blocks import Blocks, check, graph_of, limits_of
from cambrian.spaces.cells.isomorphism import Block, canonical_cell
from cambrian.spaces.cells.skeleton import SETTINGS, settings_of
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.sharing import PartialSharing
from cambrian.spaces.space import Graph, Pick, Pool, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.networks.skeletons.cell import Wiring

OPERATIONS = ("sep3x3", "sep5x5", "sep7x7", "conv1x7-7x1", "identity", "avg3x3", "max3x3", "dil3x3")
OUTPUTS = ("all", "unused")

MORPHS = {"block#/operation#": "kernel"}


@dataclass(frozen=True)
class PNAS(Space):
    """`blocks`: the largest cell (the paper's B). `output`: concatenate "all" block outputs, as the
    released PNASNet-5 does, or only the "unused" ones, NASNet's rule."""

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS
    output: str = "all"

    measure = "uniform over ordered cells, of all numbers of blocks together"
    skeleton = SETTINGS
    sizes = list_sizes(  # to that of CIFAR-10 (Sec. 5.3): F = 48, N = 3
        filters=(8, 16, 16, 16, 24, 24, 32, 32, 48), cells=(2, 2, 3, 6, 3, 6, 6, 9, 9)
    )
    paper_search = PaperSearch(  # Sec. 5.1 and 5.3: F = 24, N = 2, then F = 48, N = 3 with what only that has
        levels=5,
        keep=256,
        epochs=20,
        images=45_000,
        skeleton={"filters": 24, "cells": 6},
        final_epochs=600,
        final_skeleton={"filters": 48, "cells": 9, "auxiliary": True, "drop_path": 0.4},
        recipe={"learning_rate": 0.01, "warmup": 0.0},  # cosine decay
    )

    def __post_init__(self) -> None:
        check("pnas", self.blocks, self.operations, OPERATIONS)
        if self.output not in OUTPUTS:
            raise UnknownName("output", self.output, OUTPUTS)

    def size(self, level: int) -> int:
        """How many ordered cells have `level` blocks: |B_1:b| in the paper.

        >>> PNAS().size(5)
        556627761561600
        """
        return self.form.size(level)

    @cached_property
    def form(self) -> Blocks:
        return Blocks(self.blocks, self.operations)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (
            BlockGates(self.form, ("",), max(2, 3 * self.blocks // 4)),
            PartialSharing(self),
            AnswerMorphs(self, MORPHS),
        )

    def program(self, pick: Pick) -> None:
        # As many cells as a level has: all levels together are then uniform.
        weights = [float(self.size(b)) for b in self.levels]
        self.form.ask(pick, pick.depth("blocks", 1, self.blocks, weights))

    @property
    def shared(self) -> tuple[str, ...]:
        """Every question: an operation has weights for each input it may have, a concatenation for each
        block."""
        return ("blocks", *self.form.questions())

    def plan(self, architecture: Architecture) -> Wiring:
        """The wiring of the cell."""
        from cambrian.networks.skeletons.cell import wire

        cell = self.cell(architecture)
        return wire(
            [(i1, self.operations[o1], i2, self.operations[o2]) for i1, i2, o1, o2 in cell], self.output
        )

    def make(self, read: Reading[Wiring], task: Signature, **skeleton: Any) -> nn.Module:
        """See `cambrian.networks.skeletons.cell_network.pair_network` for the settings of a skeleton; the
        image's size decides which skeleton it is, unless `skeleton=` names it. Its operations keep
        shapes by construction, for every cell alike, so no forward is spent on checking them."""
        from cambrian.networks.skeletons import defaults as skeletons
        from cambrian.networks.skeletons.cell_network import pair_network

        settings = settings_of(task, skeleton, skeletons.PNAS)
        # PNAS has one cell, which also reduces: both places of a pair hold it.
        pair = read.within(lambda wiring: (wiring, wiring))
        limits = (limits_of(self.form, passes=False),) * 2
        return pair_network(pair, task.channels, task.classes, skeletons.PNAS, limits, **settings)

    def cell(self, architecture: Architecture) -> list[Block]:
        """The tokens (I1, I2, O1, O2) of every block; input 0 is previous-previous, 1 previous, 2 + k
        block k of the cell, counted from 0."""
        return self.form.cell(architecture, self.level(architecture))

    def architecture(self, cell: Sequence[Sequence[int]]) -> Architecture:
        """The inverse of `cell`."""
        return Architecture({"blocks": len(cell), **self.form.answers(cell)})

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
        (as `before` counts them); beyond `cap`, drawn uniformly from those pairs."""
        cells = self.tokens(parents) if parents else np.empty((1, 0, 4), np.int64)
        # Padding shows that some parent has fewer blocks than another.
        if (cells == -1).any():
            raise SpaceError("only architectures of one level can be grown together")
        grown = children(cells, self.form.new(cells.shape[1]), len(self.operations), rng, cap)

        def make(i: int) -> Architecture:
            return self.architecture([*cells[grown.parent[i]].tolist(), grown.step[i].tolist()])

        return pool_of(grown, parents, grown.step, make)

    def up_to(self, level: int) -> PNAS:
        return replace(self, blocks=level)

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
        cell = self.cell(architecture)
        read = {i for i1, i2, _, _ in cell for i in (i1, i2)} if self.output == "unused" else set()
        output = [i for i in range(2, len(cell) + 2) if i not in read]
        labels, edges, groups = graph_of(self.form, cell, output)
        return build_graph(tuple(labels), tuple(edges), tuple(groups))
