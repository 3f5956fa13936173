"""The network of NAS-Bench-101 (Ying et al., ICML 2019, Sec. 2.1-2.2): a stem and three stacks of equal
modules, a max pooling halving the image and the channels doubling between stacks.

The output concatenates the vertices it reads, which share its channels between them; a vertex that
reads the module's input does so through a 1x1 projection, and the input is added to the output so.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cambrian.errors import Unbuildable
from cambrian.networks.operations import conv_bn
from cambrian.settings import COUNT, Span, check_numbers

STACKS = 3

Edges = Sequence[tuple[int, int]]


def network(
    operations: Sequence[str],
    edges: Edges,
    channels: int,
    classes: int,
    *,
    filters: int = 128,
    modules: int = 3,
) -> nn.Module:
    """`operations` of the vertices between input (vertex 0) and output (the last). Takes float[n,
    channels, h, w], gives float[n, classes]."""
    check_numbers(COUNT, modules=modules)
    check_numbers(
        Span(len(operations) + 1, whole=True), Unbuildable, filters=filters
    )  # the output shares them out
    layers: list[nn.Module] = [_conv(channels, filters, 3)]
    width = filters
    for stack in range(STACKS):
        if stack:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        for n in range(modules):
            out = 2 * width if stack and n == 0 else width
            layers.append(Module(operations, edges, width, out))
            width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def widths(vertices: int, edges: Edges, channels: int, out: int) -> list[int]:
    """Channels of every vertex: the output's are shared out among those it concatenates, the first
    ones getting what is left over; others are as wide as the widest vertex that reads them.

    >>> widths(4, [(0, 1), (1, 2), (1, 3), (2, 3)], 8, 9)
    [8, 5, 4, 9]
    """
    found = [channels] + [0] * (vertices - 2) + [out]
    last = [a for a, b in edges if b == vertices - 1 and a]
    for n, a in enumerate(sorted(last)):
        found[a] = out // len(last) + (n < out % len(last))
    for v in range(vertices - 2, 0, -1):
        if not found[v]:
            found[v] = max(found[b] for a, b in edges if a == v)
    return found


class Module(nn.Module):
    def __init__(self, operations: Sequence[str], edges: Edges, channels: int, out: int) -> None:
        super().__init__()
        output = len(operations) + 1
        wide = widths(output + 1, edges, channels, out)
        self.reads = [sorted(a for a, b in edges if b == v) for v in range(output + 1)]
        self.wide = wide
        self.operations = nn.ModuleList(_operation(o, wide[v]) for v, o in enumerate(operations, start=1))
        projected = [b for a, b in edges if a == 0]
        self.project = nn.ModuleDict({str(b): _conv(channels, wide[b], 1) for b in projected})

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, out, h, w). Of a wider vertex the first channels are read."""
        nodes = [x]
        for v, operation in enumerate(self.operations, start=1):
            parts = [self._read(nodes, a, v) for a in self.reads[v]]
            nodes.append(operation(torch.stack(parts).sum(0)))
        output = len(nodes)
        inner = [nodes[a] for a in self.reads[output] if a]
        total = [torch.cat(inner, 1)] if inner else []
        total += [self._read(nodes, 0, output)] if 0 in self.reads[output] else []
        return torch.stack(total).sum(0)

    def _read(self, nodes: list[Tensor], source: int, reader: int) -> Tensor:
        if source == 0:
            projected: Tensor = self.project[str(reader)](nodes[0])
            return projected
        return nodes[source][:, : self.wide[reader]]


def _operation(name: str, width: int) -> nn.Module:
    if name == "maxpool3x3":
        return nn.MaxPool2d(3, 1, 1)
    return _conv(width, width, 3 if name == "conv3x3-bn-relu" else 1)


def _conv(channels: int, out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(*conv_bn(channels, out, kernel, padding=kernel // 2), nn.ReLU())
