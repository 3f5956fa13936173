"""A network of equal cells in stages of any number, length and width: a stem, before every stage that
widens or halves the image a 3x3 convolution, and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.networks.skeletons.cell import Cell, Channels, Fitted, Limits, Wiring, output_channels
from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.cells.nasbench201 import network as nasbench201


@dataclass(frozen=True)
class Stage:
    """`cells` cells, at `widen` times the channels of the stage before, at half its image or all of it."""

    cells: int
    widen: float
    halve: bool

    @property
    def continues(self) -> bool:
        """Whether nothing lies between this stage and the one before."""
        return self.widen == 1 and not self.halve


@dataclass(frozen=True)
class Plan:
    """The stages, and the plan of the cell."""

    stages: tuple[Stage, ...]
    cell: Any

    def since_start(self, stage: int) -> int:
        """How many cells lie between the beginning of a stage and the last convolution, or the stem."""
        cells = 0
        for k in range(stage, 0, -1):
            if not self.stages[k].continues:
                break
            cells += self.stages[k - 1].cells
        return cells

    def places(self) -> list[tuple[int, int]]:
        """(stage, number in it) of every cell."""
        return [(n, c) for n, stage in enumerate(self.stages) for c in range(stage.cells)]

    def begins(self) -> list[int]:
        """Before which cells, counted from 0, there is a convolution."""
        firsts = [sum(s.cells for s in self.stages[:n]) for n in range(len(self.stages))]
        return [first for first, stage in zip(firsts, self.stages, strict=True) if not stage.continues]


class MakeCell(Protocol):
    """Makes a cell of `filters` channels for two states of these channels, the outputs of the two cells
    before or twice the one that begins the stage; `gives` are the channels of its output."""

    def __call__(self, before: Fitted[Plan], last: Fitted[Plan], filters: int) -> nn.Module: ...
    def gives(self, filters: int) -> Channels[Plan]: ...


class Either:
    """The channels of a state that is the output of a cell or of a convolution."""

    def __init__(self, is_cell: Callable[[Plan], bool], cell: Channels[Plan], start: Channels[Plan]) -> None:
        self._is_cell, self._channels = is_cell, {True: cell, False: start}

    def fit(self, read: Reading[Plan], make: Callable[[int], nn.Module]) -> nn.Module:
        makers = {kind: partial(channels.fit, read, make) for kind, channels in self._channels.items()}
        return read.fork(self._is_cell, makers)


class Stacked(nn.Module):
    """Takes float[n, channels, h, w] of which `side` is the shorter, gives float[n, classes]. A stage has
    `most` cells at most. An image of one pixel is not halved."""

    def __init__(
        self,
        read: Reading[Plan],
        cell: MakeCell,
        most: int,
        channels: int,
        side: int,
        classes: int,
        *,
        filters: int = 16,
    ) -> None:
        super().__init__()
        check_numbers(COUNT, filters=filters)
        self.stem = conv_bn(channels, filters, 3, padding=1)
        self.starts = nn.ModuleDict()  # by the number of the cell before which it lies
        self.begins = read.live(Plan.begins)
        shapes = read.value(lambda plan: [(s.widen, s.halve, s.continues) for s in plan.stages])
        widths, strides, wide = [filters], list[int](), filters
        for widen, halve, continues in shapes:
            wide = wide if continues else round(wide * widen)
            # An image of one pixel cannot be halved, so the stride is decided here and not in the plan.
            strides.append(2 if halve and side > 1 else 1)
            side = -(-side // strides[-1])
            widths.append(wide)
        # A supernet has the most cells in every stage; its plans run the first ones.
        counts = [read.count(partial(_cells_of, n), most) for n in range(len(shapes))]

        least = [0]  # cells between the beginning of a stage and the last convolution: every stage has some
        for _, _, continues in shapes[1:]:
            least.append(least[-1] + 1 if continues else 0)

        def state(n: int, c: int, back: int) -> Fitted[Plan]:
            """The state that cell c of stage n reads: the output of the cell so many before it, or, where
            there are fewer since the last convolution, the convolution's."""
            output, start = cell.gives(widths[n + 1]), Channels[Plan](widths[n + 1])
            if c + least[n] >= back:
                return output
            return Either(lambda plan: plan.since_start(n) + c >= back, output, start) if least[n] else start

        def part(n: int, c: int) -> nn.Module:
            if c == 0 and not shapes[n][2]:
                last = cell.gives(widths[n]) if n else Channels[Plan](filters)
                start = last.fit(read, lambda width: _start(width, widths[n + 1], strides[n]))
                self.starts[str(sum(counts[:n]))] = start
            return cell(state(n, c, 2), state(n, c, 1), widths[n + 1])

        makers = {(n, c): partial(part, n, c) for n, count in enumerate(counts) for c in range(count)}
        self.cells = read.parts(Plan.places, makers)
        self.head = cell.gives(wide).fit(read, lambda width: _head(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        starts = dict(zip(self.begins(), self.starts.values(), strict=True))
        for n, cell in enumerate(self.cells):
            if n in starts:
                # Both states of the next cell are the convolution's: earlier ones have another shape.
                before = last = starts[n](last)
            before, last = last, cell(before, last)
        logits: Tensor = self.head(last)
        return logits


def _cells_of(stage: int, plan: Plan) -> int:
    return plan.stages[stage].cells


def _start(channels: int, filters: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), *conv_bn(channels, filters, 3, stride, 1))


def _head(channels: int, classes: int) -> nn.Module:
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(
        nn.BatchNorm2d(channels), nn.ReLU(), pool, nn.Flatten(), nn.Linear(channels, classes)
    )


class _Last(nn.Module):
    """A cell that reads one state."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        y: Tensor = self.cell(last)
        return y


class EdgeCells:
    """Cells of NAS-Bench-201, of the operation on each edge."""

    def __init__(self, read: Reading[Plan]) -> None:
        self._read: Reading[Sequence[str]] = read.within(lambda plan: plan.cell)

    def __call__(self, before: Fitted[Plan], last: Fitted[Plan], filters: int) -> nn.Module:
        return _Last(nasbench201.Cell(self._read, filters, "cell/"))

    def gives(self, filters: int) -> Channels[Plan]:
        return Channels(filters)


class BlockCells:
    """Cells of PNAS, of blocks as `cambrian.networks.skeletons.cell` has them."""

    def __init__(self, read: Reading[Plan], limits: Limits) -> None:
        self._read, self._limits = read, limits

    def __call__(self, before: Fitted[Plan], last: Fitted[Plan], filters: int) -> nn.Module:
        return Cell(self._read, _wiring, (before, last), filters, limits=self._limits)

    def gives(self, filters: int) -> Channels[Plan]:
        return output_channels(_wiring, self._limits, filters)


def _wiring(plan: Plan) -> Wiring:
    wiring: Wiring = plan.cell
    return wiring
