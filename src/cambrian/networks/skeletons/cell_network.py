"""A network of cells: stem, normal and strided cells, global pooling, one linear layer (NASNet, Zoph et al.
2018, Fig. 2; PNAS, Liu et al. 2018, Fig. 1; details of the ImageNet networks, the auxiliary head and
drop-path as in the released code). PNAS uses its one cell with a stride; the others have a reduction cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from cambrian.errors import UnknownName
from cambrian.networks.layouts import average_pixels
from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Own, Reading
from cambrian.networks.skeletons import defaults as skeletons
from cambrian.networks.skeletons.cell import Block, Cell, Channels, Limits, Wiring, output_channels, wire
from cambrian.networks.skeletons.defaults import Skeletons
from cambrian.settings import COUNT, SHARE, Span, check_numbers, check_truths


def reduction_cells(cells: int) -> set[int]:
    """The cells (from 0) that have a stride: those after one and two thirds of `cells`, never the first.

    >>> sorted(reduction_cells(9)), sorted(reduction_cells(12)), reduction_cells(2), reduction_cells(1)
    ([3, 6], [4, 8], {1}, set())
    """
    return {cells // 3, 2 * cells // 3} - {0}


Pair = tuple[Wiring, Wiring]  # of the normal and the reduction cell


@dataclass(frozen=True)
class Stack:
    """The sequence of cells, stem cells first: their filters, their strides, and which of them are read. If
    cells do not read the previous one, every other cell is without a reader, and is not built. Cell -1 is the
    stem, and so is every number below."""

    filters: int
    cells: int
    stem_cells: int
    stem: int  # channels
    limits: tuple[Limits, Limits] = (Limits(), Limits())
    watched: int = -1  # the cell that the auxiliary head reads, counted from the last strided one

    @property
    def total(self) -> int:
        return self.stem_cells + self.cells

    def strides(self, t: int) -> bool:
        return 0 <= t < self.stem_cells or t - self.stem_cells in reduction_cells(self.cells)

    def wiring(self, t: int) -> Callable[[Pair], Wiring]:
        return itemgetter(int(self.strides(t)))

    def channels(self, t: int) -> Channels[Pair]:
        """The channels of the output of cell t."""
        if t < 0:
            return Channels(self.stem)
        return output_channels(self.wiring(t), self.limits[self.strides(t)], self.width(t))

    def width(self, t: int) -> int:
        """Filters of cell t: doubled at every strided cell after the stem cells; the stem cells double up to
        `filters`."""
        if t < self.stem_cells:
            return int(self.filters // 2 ** (self.stem_cells - t))
        return int(self.filters << sum(self.strides(k) for k in range(self.stem_cells, t + 1)))

    def live(self, pair: Pair) -> list[int]:
        """The cells whose output reaches the last cell, in order."""
        # A breadth-first walk backwards from the last cell.
        live: set[int] = set()
        frontier = {self.total - 1}
        while frontier:
            live |= frontier
            read = {t - 2 + i for t in frontier for i in self.wiring(t)(pair).inputs}
            frontier = {t for t in read if t >= 0} - live
        return sorted(live)

    def find_auxiliary_source(self, pair: Pair) -> int:
        """The cell whose output the auxiliary head reads: the last live one up to the cell `watched`."""
        last = self.stem_cells + max(reduction_cells(self.cells), default=self.cells) + self.watched
        live = self.live(pair)
        return max((t for t in live if t <= last), default=live[0])


def cell_network(
    blocks: Sequence[Block], channels: int, classes: int, *, output: str = "all", **settings: Any
) -> CellNetwork:
    """The network that repeats one cell, with stride 2 where it reduces: (n, channels, h, w) -> logits
    (n, classes).

    `blocks`: tuples (input1, operation1, input2, operation2), the inputs being states. `output`: "all" blocks
    or the "unused" ones make a cell's output. `settings` are those of `pair_network`; the skeletons are
    PNAS's."""
    cell = wire(blocks, output)
    return pair_network(Own((cell, cell)), channels, classes, skeletons.PNAS, **settings)


def pair_network(
    read: Reading[Pair],
    channels: int,
    classes: int,
    known: Skeletons,
    limits: tuple[Limits, Limits] = (Limits(), Limits()),
    *,
    skeleton: str = "cifar",
    filters: int | None = None,
    cells: int | None = None,
    auxiliary: bool = False,
    drop_path: float = 0.0,
    dropout: float | None = None,
    stem: int | None = None,
    stem_stride: int = 1,
) -> CellNetwork:
    """The network of a normal and a strided cell: (n, channels, h, w) -> logits (n, classes).

    `limits`: bounds of the cells that a supernet holds. `skeleton`: a name in `known`. `filters`: channels of
    a block in the first cells, doubled at every strided cell. `cells`: their number in all; two of them have
    a stride, after one and two thirds.
    `auxiliary`: a second head before the last strided cell (DARTS: behind it); in training, forward then
    returns (logits, auxiliary logits). `drop_path`: the last cell's rate at the end of training.
    `dropout`: before the linear layer. `stem`: channels of the first convolution, `stem_stride` its
    stride (ImageNet's is always 2). None stands for the skeleton's value.

    Raises UnknownName and Unbuildable for settings that do not make a network."""
    if skeleton not in known:
        raise UnknownName("skeleton", skeleton, known)
    own = known[skeleton]
    filters = own.filters if filters is None else filters
    cells = own.cells if cells is None else cells
    # The stem cells halve the filters, and one has to remain; a factorized reduction needs two.
    least = max(2, 2**own.stem_cells)
    dropout = own.dropout if dropout is None else dropout
    check_numbers(COUNT, cells=cells, stem_stride=stem_stride)
    check_numbers(Span(least, whole=True), filters=filters)
    check_numbers(Span(0, whole=True), stem=stem or 0)
    check_numbers(SHARE, drop_path=drop_path, dropout=dropout)
    check_truths(auxiliary=auxiliary)
    network = CellNetwork(
        read,
        Stack(filters, cells, own.stem_cells, stem or own.stem or own.widen * filters, limits, own.watched),
        channels,
        classes,
        stem_stride=2 if own.stem_cells else stem_stride,
        auxiliary=auxiliary,
        dropout=dropout,
    )
    network.rectifies, network.even_drop = own.rectifies, own.even_drop
    network.drop_path = drop_path
    network.drop_path_progress = 1.0
    # Set here, since operations are made without knowing of a skeleton.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = own.epsilon
    return network


class AuxiliaryHead(nn.Module):
    """A second classifier for training only: (n, channels, h, w) -> logits (n, classes)."""

    # The released head has a kernel as large as its pooled map. Here the map is always pooled to 2x2, which
    # works at every resolution.

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            *conv_bn(channels, 128),
            nn.ReLU(inplace=True),
            *conv_bn(128, 768, kernel=2),
            nn.ReLU(inplace=True),
        )
        self.linear = nn.Linear(768, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.linear(self.features(x).flatten(1))
        return y


class CellNetwork(nn.Module):
    """See `pair_network`. `drop_path` is the rate at the end of training; `drop_path_progress`, set between 0
    and 1, scales the present rates. `rectifies` and `even_drop` are the skeleton's."""

    drop_path: float = 0.0
    rectifies: bool = True
    even_drop: bool = False

    def __init__(
        self,
        read: Reading[Pair],
        stack: Stack,
        channels: int,
        classes: int,
        *,
        stem_stride: int,
        auxiliary: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        # ImageNet's stem does not pad, as in the released code.
        padding = 0 if stack.stem_cells else 1
        self.stem = conv_bn(channels, stack.stem, 3, stem_stride, padding)
        self._watched = read.live(stack.find_auxiliary_source)
        self.total = stack.total
        self.cells = read.parts(stack.live, {t: partial(_cell, read, stack, t) for t in range(self.total)})

        def head(t: int) -> nn.Module:
            return stack.channels(t).fit(read, lambda width: AuxiliaryHead(width, classes))

        # In a supernet the source of the head depends on the plan, so every cell may need one.
        heads = {t: partial(head, t) for t in range(self.total)}
        self.auxiliary = read.fork(stack.find_auxiliary_source, heads) if auxiliary else None
        self.dropout = nn.Dropout(dropout)
        last = stack.channels(self.total - 1)
        self.linear = last.fit(read, lambda width: nn.Linear(width, classes))

    @property
    def places(self) -> list[int]:
        """The numbers of the cells that are built, counting also those that are not read."""
        return [cell.place for cell in self.cells if isinstance(cell, Cell)]

    @property
    def watched(self) -> int:
        """The cell whose output the auxiliary head reads."""
        return self._watched()

    @property
    def drop_path_progress(self) -> float:
        return self._progress

    @drop_path_progress.setter
    def drop_path_progress(self, progress: float) -> None:
        self._progress = progress
        self.set_drop_path(self.drop_path * progress)

    def set_drop_path(self, rate: float) -> None:
        """Drop paths of the last cell at `rate` from now on, those of earlier cells at linearly lower rates
        (Zoph et al. 2018, Sec. 4), or at the same one (DARTS)."""
        for cell in self.modules():  # in a supernet every one, whichever are chosen
            if isinstance(cell, Cell):
                cell.drop_path = rate * (1 if self.even_drop else (cell.place + 1) / self.total)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        stem = self.stem(x)
        outputs: dict[int, torch.Tensor] = {}
        for t, cell in zip(self.places, self.cells, strict=True):
            # Before the first cell there is only the stem, which stands in for missing outputs.
            outputs[t] = cell(outputs.get(t - 2, stem), outputs.get(t - 1, stem))
        last = outputs[self.total - 1]
        last = F.relu(last) if self.rectifies else last
        pooled = average_pixels(last) if self.training else last.mean((2, 3))
        logits: torch.Tensor = self.linear(self.dropout(pooled))
        if self.training and self.auxiliary is not None:
            return logits, self.auxiliary(outputs[self.watched])
        return logits


def _cell(read: Reading[Pair], stack: Stack, t: int) -> Cell[Pair]:
    return Cell(
        read,
        stack.wiring(t),
        (stack.channels(t - 2), stack.channels(t - 1)),
        stack.width(t),
        limits=stack.limits[stack.strides(t)],
        stride=2 if stack.strides(t) else 1,
        halve=stack.strides(t - 1),
        unfitted=stack.stem if t == 0 and stack.stem_cells else 0,
        place=t,
    )
