"""Networks of cells that are motifs of motifs (Liu et al., ICLR 2018, arXiv 1711.00436, Sec. 2 and 4.1): a
stem, three stages of cells, between them a separable convolution of stride 2 that doubles the filters,
and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.networks.operations import Make, conv_bn
from cambrian.settings import COUNT, check_numbers

STAGES = 3

Edge = tuple[int, int, Any, int]  # (from, to, name of a primitive or edges of a motif, like): see `Motif`


def network(
    cell: Sequence[Edge],
    channels: int,
    side: int,
    classes: int,
    *,
    filters: int = 16,
    cells: int = 1,
    make: Make | None = None,
) -> nn.Module:
    """`cells` per stage, convolutions of `filters` channels in the first one. Takes float[n, channels, h,
    w] of which `side` is the shorter, gives float[n, classes]; an image of one pixel is not halved."""
    check_numbers(COUNT, filters=filters, cells=cells)
    layers: list[nn.Module] = [*conv_bn(channels, filters, 3, padding=1), nn.ReLU()]
    width = filters
    for stage in range(STAGES):
        own = filters * 2**stage
        if stage:
            layers.append(primitive("", "sep3x3", width, own, 2 if side > 1 else 1))
            side, width = -(-side // 2), own
        for n in range(cells):
            made = Motif(cell, width, own, make or primitive, f"stage{stage + 1}/cell{n + 1}")
            layers.append(made)
            width = made.out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def primitive(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """A primitive of the lowest level (Sec. 2.3): convolutions are followed by normalisation and ReLU."""
    if name == "identity":
        return nn.Identity()
    if name == "max3x3":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "avg3x3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    if name == "conv1x1":
        return nn.Sequential(*conv_bn(channels, out, stride=stride), nn.ReLU())
    depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    if name == "dw3x3":
        return nn.Sequential(depthwise, nn.BatchNorm2d(out), nn.ReLU())
    return nn.Sequential(depthwise, *conv_bn(channels, out), nn.ReLU())


class Motif(nn.Module):
    """A graph with an operation on every edge; what arrives at a node is concatenated, in the order of
    `edges`. (n, channels, h, w) -> (n, out, h, w).

    Edges are (from, to, operation, like), those to a node before those from it; node 1 is the input, the
    last edge ends in the output. Convolutions give `filters` channels, or as many as node `like` has; other
    primitives as many as they read; an operation that is no name is a motif within."""

    out: int

    def __init__(self, edges: Sequence[Edge], channels: int, filters: int, make: Make, path: str) -> None:
        super().__init__()
        self.operations = nn.ModuleDict()
        widths = {1: channels}
        for source, to, operation, like in edges:
            here, read = f"{path}/{source}-{to}", widths[source]
            if isinstance(operation, str):
                mixes = operation in ("conv1x1", "sep3x3")
                gives = (widths[like] if like else filters) if mixes else read
                made = make(here, operation, read, gives, 1)
            else:
                made = Motif(operation, read, filters, make, here)
                gives = made.out
            self.operations[f"{len(self.operations)}"] = made
            widths[to] = widths.get(to, 0) + gives
        self.edges = tuple((source, to) for source, to, _, _ in edges)
        self.out = widths[edges[-1][1]]

    def forward(self, x: Tensor) -> Tensor:
        nodes: dict[int, list[Tensor]] = {1: [x]}
        for (source, to), operation in zip(self.edges, self.operations.values(), strict=True):
            nodes.setdefault(to, []).append(operation(_join(nodes[source])))
        return _join(nodes[self.edges[-1][1]])


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
