"""The cells of DARTS (Liu, Simonyan, Yang, ICLR 2019, arXiv 1806.09055, Sec. 2.1 and 3.1.1): a normal and a
reduction cell of four nodes; each adds an operation on each of two earlier states; all are concatenated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cambrian.spaces.cells.blocks import Blocks, check
from cambrian.spaces.cells.pair import CellPair
from cambrian.spaces.cells.skeleton import pair_sizes

OPERATIONS = ("sep3x3", "sep5x5", "dilsep3x3", "dilsep5x5", "max3x3", "avg3x3", "skip")
NONE = "none"


@dataclass(frozen=True)
class DARTS(CellPair):
    """`nodes` of the largest cell, its inputs left out. `operations` may have "none" as well, which the
    paper's mixed operation has and its derived cells do not have."""

    nodes: int = 4
    operations: tuple[str, ...] = OPERATIONS

    family: ClassVar[str] = "darts"
    sizes = pair_sizes(36)
    concatenates_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check("darts", self.nodes, self.operations, (*OPERATIONS, NONE), "nodes")

    @cached_property
    def form(self) -> Blocks:
        return Blocks(self.nodes, self.operations, distinct=True, part="node")
