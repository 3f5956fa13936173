"""A network of equal cells in stages of any number, length and width: a stem, before every stage that
widens or halves the image a 3x3 convolution, and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Own
from cambrian.networks.skeletons import cell as pair_cells
from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.cells.nasbench201 import network as nasbench201


@dataclass(frozen=True)
class Stage:
    """`cells` of them, at `widen` times the channels of the stage before, at half its image or at its own."""

    cells: int
    widen: float
    halve: bool

    @property
    def continues(self) -> bool:
        """Whether nothing lies between this stage and the one before."""
        return self.widen == 1 and not self.halve


class MakeCell(Protocol):
    """(path, channels of the two states before, filters) -> a cell, and the channels it gives. It is called
    with those two states: the outputs of the two cells before, or twice what begins the stage."""

    def __call__(self, path: str, channels: tuple[int, int], filters: int) -> tuple[nn.Module, int]: ...


def network(
    stages: Sequence[Stage],
    cell: MakeCell,
    channels: int,
    side: int,
    classes: int,
    *,
    filters: int = 16,
) -> nn.Module:
    """Takes float[n, channels, h, w] of which `side` is the shorter, gives float[n, classes]. An image of
    one pixel is not halved."""
    check_numbers(COUNT, filters=filters)
    return Stacked(stages, cell, channels, side, classes, filters)


class Stacked(nn.Module):
    """See `network`."""

    def __init__(
        self, stages: Sequence[Stage], cell: MakeCell, channels: int, side: int, classes: int, filters: int
    ) -> None:
        super().__init__()
        self.stem = conv_bn(channels, filters, 3, padding=1)
        self.starts = nn.ModuleDict()  # by the number of the cell before which it lies
        self.cells = nn.ModuleList()
        before, last = filters, filters
        for n, stage in enumerate(stages, 1):
            if not stage.continues:
                filters = round(filters * stage.widen)
                stride = 2 if stage.halve and side > 1 else 1
                side = -(-side // stride)
                start = nn.Sequential(nn.ReLU(), *conv_bn(last, filters, 3, stride, 1))
                self.starts[str(len(self.cells))] = start
                before = last = filters
            for c in range(1, stage.cells + 1):
                made, gives = cell(f"stage{n}/cell{c}", (before, last), filters)
                self.cells.append(made)
                before, last = last, gives
        self.head = nn.Sequential(
            nn.BatchNorm2d(last), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        for n, cell in enumerate(self.cells):
            if str(n) in self.starts:
                before = last = self.starts[str(n)](last)
            before, last = last, cell(before, last)
        logits: Tensor = self.head(last)
        return logits


class _Last(nn.Module):
    """A cell that reads one state."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        y: Tensor = self.cell(last)
        return y


def edge_cells(names: Sequence[str]) -> MakeCell:
    """Cells of NAS-Bench-201, of the operation on each edge."""

    def cell(path: str, channels: tuple[int, int], filters: int) -> tuple[nn.Module, int]:
        return _Last(nasbench201.Cell(Own(names), filters)), filters

    return cell


def block_cells(blocks: Sequence[pair_cells.Block], output: str) -> MakeCell:
    """Cells of PNAS, of blocks as `cambrian.networks.skeletons.cell` has them."""
    wiring = pair_cells.wire(blocks, output)

    def cell(path: str, channels: tuple[int, int], filters: int) -> tuple[nn.Module, int]:
        return pair_cells.cell_of(wiring, channels, filters), wiring.width(filters)

    return cell
