"""The cells of NASNet (Zoph, Vasudevan, Shlens, Le, CVPR 2018, arXiv 1707.07012, Sec. 3.1).

A normal and a reduction cell of five blocks; a block applies one of 13 operations to each of two states
and adds or concatenates the results; the states that no block reads are concatenated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cambrian.errors import SpaceError
from cambrian.spaces.cells.blocks import Blocks, check
from cambrian.spaces.cells.pair import CellPair
from cambrian.spaces.cells.pair_cells import check_also
from cambrian.spaces.cells.skeleton import pair_sizes

OPERATIONS = (
    "identity",
    "conv1x3-3x1",
    "conv1x7-7x1",
    "dil3x3",
    "avg3x3",
    "max3x3",
    "max5x5",
    "max7x7",
    "conv1x1",
    "conv3x3",
    "sep3x3",
    "sep5x5",
    "sep7x7",
)
COMBINERS = ("add", "concat")


@dataclass(frozen=True)
class NASNet(CellPair):
    """`blocks` of the largest cell. `also`: states concatenated though a block reads them, as in the
    released NASNet-A, whose lists of states that are read leave some out."""

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS
    combiners: tuple[str, ...] = COMBINERS
    also: tuple[str, ...] = ()

    family: ClassVar[str] = "nasnet"
    sizes = pair_sizes(32)

    def __post_init__(self) -> None:
        check("nasnet", self.blocks, self.operations, OPERATIONS)
        if self.combiners not in (("add",), COMBINERS):
            raise SpaceError(f"space 'nasnet': combiners are ('add',) or {COMBINERS}, got {self.combiners}")
        check_also(self.also, self.form)

    @cached_property
    def form(self) -> Blocks:
        return Blocks(self.blocks, self.operations, self.combiners)
