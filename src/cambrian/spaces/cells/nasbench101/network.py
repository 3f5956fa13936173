"""The network of NAS-Bench-101 (Ying et al., ICML 2019, Sec. 2.1-2.2): a stem and three stacks of equal
modules, a max pooling halving the image and the channels doubling between stacks.

The output concatenates the vertices it reads, which share its channels between them; a vertex that
reads the module's input does so through a 1x1 projection, and so does the output, which adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from cambrian.errors import Unbuildable
from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, Span, check_numbers

STACKS = 3

KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}

Edges = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Cell:
    """`operations` of the vertices between input (vertex 0) and output (the last), and `edges` (from, to)."""

    operations: Sequence[str]
    edges: Edges

    def operation(self, v: int) -> str | None:
        """The operation of vertex v, or None where the cell does not have it."""
        return self.operations[v - 1] if v <= len(self.operations) else None

    def reads(self, v: int) -> list[int]:
        """The vertices that vertex v reads."""
        return sorted(a for a, b in self.edges if b == v)

    def wide(self, channels: int, out: int) -> list[int]:
        """Channels of every vertex."""
        return widths(len(self.operations) + 2, self.edges, channels, out)


def network(
    read: Reading[Cell],
    most: int,
    channels: int,
    classes: int,
    *,
    filters: int = 128,
    modules: int = 3,
) -> nn.Module:
    """`most`: the vertices between input and output that a supernet's cells may have. Takes float[n,
    channels, h, w], gives float[n, classes]."""
    check_numbers(COUNT, modules=modules)
    inner = read.count(lambda cell: len(cell.operations), most)
    # The output shares the filters out among as many vertices.
    check_numbers(Span(inner + 1, whole=True), Unbuildable, filters=filters)
    layers: list[nn.Module] = [_conv(3, channels, filters)]
    width = filters
    for stack in range(STACKS):
        if stack:
            # Rounded up, so that images of one pixel stay.
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        for n in range(modules):
            out = 2 * width if stack and n == 0 else width
            layers.append(Module(read, most, width, out))
            width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def widths(vertices: int, edges: Edges, channels: int, out: int) -> list[int]:
    """Channels of every vertex: the output's are divided among the vertices it concatenates, the first
    ones getting the remainder; others are as wide as the widest vertex that reads them.

    >>> widths(4, [(0, 1), (1, 2), (1, 3), (2, 3)], 8, 9)
    [8, 5, 4, 9]
    """
    wide = [channels] + [0] * (vertices - 2) + [out]
    last = [a for a, b in edges if b == vertices - 1 and a]
    for n, a in enumerate(sorted(last)):
        wide[a] = out // len(last) + (n < out % len(last))
    # From the output backwards: all readers of a vertex have their widths by then.
    for v in range(vertices - 2, 0, -1):
        if not wide[v]:
            wide[v] = max(wide[b] for a, b in edges if a == v)
    return wide


class Module(nn.Module):
    """Shared, a vertex that is narrower has the first of its channels."""

    def __init__(self, read: Reading[Cell], most: int, channels: int, out: int) -> None:
        super().__init__()
        inner = read.count(lambda cell: len(cell.operations), most)
        self.last = inner + 1  # the output's place, whichever number it has in a smaller cell
        self.cell = read.live(lambda cell: cell)
        self.wide = read.live(lambda cell: cell.wide(channels, out))

        def width(v: int) -> Callable[[Cell], int | None]:
            return lambda cell: cell.wide(channels, out)[v] if v <= len(cell.operations) else None

        def operation(v: int, name: str) -> nn.Module:
            if name == "maxpool3x3":
                return nn.MaxPool2d(3, 1, 1)
            kernel = KERNELS[name]
            return read.elastic(width(v), lambda w: _conv(kernel, w, w), out)

        def vertex(v: int) -> nn.Module:
            makers = {name: partial(operation, v, name) for name in (*KERNELS, "maxpool3x3")}
            return read.fork(lambda cell: cell.operation(v), makers, f"vertex{v}/operation")

        self.operations = nn.ModuleList(vertex(v) for v in range(1, inner + 1))
        project = partial(_conv, 1, channels)
        makers = {v: partial(read.elastic, width(v), project, out) for v in range(1, inner + 1)}
        self.project = read.several(self._list_projected, {**makers, self.last: partial(project, out)})

    def _list_projected(self, cell: Cell) -> list[int]:
        """The vertices that read the input, each through a projection of its own."""
        output = len(cell.operations) + 1
        return [self.last if b == output else b for a, b in cell.edges if a == 0]

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, out, h, w). Of a wider vertex the first channels are read."""
        cell, wide = self.cell(), self.wide()
        output = len(cell.operations) + 1
        nodes = [x]
        for v in range(1, output):
            parts = [self._read(nodes, a, v, wide) for a in cell.reads(v)]
            nodes.append(self.operations[v - 1](torch.stack(parts).sum(0)))
        inner = [nodes[a] for a in cell.reads(output) if a]
        total = [torch.cat(inner, 1)] if inner else []
        total += [self._read(nodes, 0, self.last, wide)] if 0 in cell.reads(output) else []
        return torch.stack(total).sum(0)

    def _read(self, nodes: list[Tensor], source: int, reader: int, wide: Sequence[int]) -> Tensor:
        if source == 0:
            projected: Tensor = self.project[str(reader)](nodes[0])
            return projected
        return nodes[source][:, : wide[reader]]


def _conv(kernel: int, channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(*conv_bn(channels, out, kernel, padding=kernel // 2), nn.ReLU())
