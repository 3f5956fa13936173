"""A network of equal cells in stages of any number, length and width: a stem, before every stage that
widens or halves the image a 3x3 convolution, and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.settings import whole
from cambrian.networks.sharing.reading import Reading
from cambrian.networks.skeletons.cell import Cell, Channels, Limits, output_channels
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


@dataclass(frozen=True)
class Plan:
    """The stages, and the cell as the text of its own space reads it."""

    stages: tuple[Stage, ...]
    cell: Any


class MakeCell(Protocol):
    """(channels of the two states before, filters) -> a cell, and the channels it gives. It is called with
    those two states: the outputs of the two cells before, or twice what begins the stage."""

    def __call__(
        self, channels: tuple[Channels[Plan], Channels[Plan]], filters: int
    ) -> tuple[nn.Module, Channels[Plan]]: ...


def network(
    read: Reading[Plan],
    cell: MakeCell,
    most: int | None,
    channels: int,
    side: int,
    classes: int,
    *,
    filters: int = 16,
) -> nn.Module:
    """Takes float[n, channels, h, w] of which `side` is the shorter, gives float[n, classes]. An image of
    one pixel is not halved. A supernet's stages have up to `most` cells, or, without, as many as they
    have."""
    whole(filters=filters)
    return Stacked(read, cell, most, channels, side, classes, filters)


class Stacked(nn.Module):
    """See `network`."""

    def __init__(
        self,
        read: Reading[Plan],
        cell: MakeCell,
        most: int | None,
        channels: int,
        side: int,
        classes: int,
        filters: int,
    ) -> None:
        super().__init__()
        self.stem = conv_bn(channels, filters, 3, padding=1)
        self.starts = nn.ModuleDict()  # by the number of the cell before which it lies
        self.cells = nn.ModuleList()
        before = last = Channels[Plan](filters)
        stages = read.value(lambda plan: [(s.widen, s.halve, s.continues) for s in plan.stages])
        for s, (widen, halve, continues) in enumerate(stages):
            if not continues:
                filters = round(filters * widen)
                stride = 2 if halve and side > 1 else 1
                side = -(-side // stride)
                self.starts[str(len(self.cells))] = last.fit(read, partial(_start, filters, stride))
                before = last = Channels[Plan](filters)
            for n in range(_count(read, s, most)):
                made, gives = cell((before, last), filters)
                self.cells.append(made if most is None else _optional(read, s, n, made))
                before, last = last, gives
        self.head = nn.Sequential(
            last.fit(read, nn.BatchNorm2d),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            last.fit(read, lambda width: nn.Linear(width, classes)),
        )

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        for n, cell in enumerate(self.cells):
            if str(n) in self.starts:
                before = last = self.starts[str(n)](last)
            before, last = last, cell(before, last)
        logits: Tensor = self.head(last)
        return logits


def _start(filters: int, stride: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), *conv_bn(channels, filters, 3, stride, 1))


def _count(read: Reading[Plan], s: int, most: int | None) -> int:
    """Of the cells of stage s."""
    if most is None:
        return read.value(lambda plan: plan.stages[s].cells)
    return read.count(lambda plan: plan.stages[s].cells, most)


def _optional(read: Reading[Plan], s: int, n: int, cell: nn.Module) -> nn.Module:
    """Cell n of stage s, or nothing where the stage has fewer."""
    return read.fork(lambda plan: n < plan.stages[s].cells, {True: lambda: cell, False: _Pass})


class _Pass(nn.Module):
    """A cell that is not there."""

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        return last


class _Last(nn.Module):
    """A cell that reads one state."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        y: Tensor = self.cell(last)
        return y


def edge_cells(read: Reading[Plan], prefix: str) -> MakeCell:
    """Cells of NAS-Bench-201."""
    names: Reading[Sequence[str]] = read.within(lambda plan: plan.cell)

    def make(
        channels: tuple[Channels[Plan], Channels[Plan]], filters: int
    ) -> tuple[nn.Module, Channels[Plan]]:
        return _Last(nasbench201.Cell(names, filters, prefix)), Channels(filters)

    return make


def block_cells(read: Reading[Plan], limits: Limits) -> MakeCell:
    """Cells of PNAS, as `cambrian.networks.skeletons.cell` has them."""

    def make(
        channels: tuple[Channels[Plan], Channels[Plan]], filters: int
    ) -> tuple[nn.Module, Channels[Plan]]:
        cell = Cell(read, lambda plan: plan.cell, channels, filters, limits=limits)
        return cell, output_channels(lambda plan: plan.cell, limits, filters)

    return make
