"""The cells of AmoebaNet (Real, Aggarwal, Huang, Le, AAAI 2019, arXiv 1802.01548, Methods): NASNet's topology
with eight operations, whose results are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cambrian.spaces.cells.blocks import Blocks, check
from cambrian.spaces.cells.pair import CellPair
from cambrian.spaces.cells.pair_cells import check_also
from cambrian.spaces.cells.skeleton import pair_sizes

OPERATIONS = (
    "identity",
    "sep3x3",
    "sep5x5",
    "sep7x7",
    "avg3x3",
    "max3x3",
    "dilsep3x3",
    "bottleneck1x7-7x1",
)


@dataclass(frozen=True)
class AmoebaNet(CellPair):
    """`blocks` of the largest cell. `also`: states concatenated though a block reads them, as in the
    released AmoebaNet-A. The 1x7-7x1 convolution works on a quarter of the channels, as released: only so
    the published numbers of parameters come out."""

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS
    also: tuple[str, ...] = ()

    family: ClassVar[str] = "amoebanet"
    sizes = pair_sizes(36)

    def __post_init__(self) -> None:
        check("amoebanet", self.blocks, self.operations, OPERATIONS)
        check_also(self.also, self.form)

    @cached_property
    def form(self) -> Blocks:
        return Blocks(self.blocks, self.operations)
