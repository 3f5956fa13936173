"""The micro search space of ENAS (Pham, Guan, Zoph, Le, Dean, ICML 2018, arXiv 1802.03268, Sec. 2.4): a
normal and a reduction cell of B = 7 nodes, of which two are the cell's inputs; each other node adds two of
five operations on earlier nodes; loose ends are concatenated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cambrian.spaces.cells.blocks import Blocks, check
from cambrian.spaces.cells.pair import CellPair
from cambrian.spaces.cells.skeleton import pair_sizes

OPERATIONS = ("sep3x3", "sep5x5", "avg3x3", "max3x3", "skip")


@dataclass(frozen=True)
class ENASMicro(CellPair):
    """`nodes` of the largest cell, its inputs left out."""

    nodes: int = 5
    operations: tuple[str, ...] = OPERATIONS

    family: ClassVar[str] = "enas"
    sizes = pair_sizes(36)
    projects_twice: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check("enas-micro", self.nodes, self.operations, OPERATIONS, "nodes")

    @cached_property
    def form(self) -> Blocks:
        return Blocks(self.nodes, self.operations, part="node")
