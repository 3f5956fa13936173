"""The network of NAS-Bench-201 (Dong & Yang, ICLR 2020, Sec. 2.1): a stem, three stages of equal cells
with a residual block of stride 2 between them, and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.settings import COUNT, check_numbers

STAGES = 3
NODES = 4


Make = Callable[[str, str, int], nn.Module | None]  # (the edge's path, its operation, channels)


def network(
    cell: Mapping[str, str],
    channels: int,
    classes: int,
    *,
    filters: int = 16,
    cells: int = 5,
    make: Make | None = None,
) -> nn.Module:
    """`cells` per stage, `filters` in the first stage and twice as many in each after it; `cell` is the
    operation on each edge, by its path. Takes float[n, channels, h, w], gives float[n, classes]."""
    check_numbers(COUNT, filters=filters, cells=cells)
    make = make or operation
    layers: list[nn.Module] = [conv_bn(channels, filters, 3, padding=1)]
    for stage in range(STAGES):
        width = filters * 2**stage
        if stage:
            layers.append(Residual(width // 2, width))
        layers += [Cell(cell, width, make) for _ in range(cells)]
    pool = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *pool, nn.Linear(width, classes))


def operation(path: str, name: str, width: int) -> nn.Module | None:
    """What is on an edge; convolutions go ReLU-convolution-normalisation. None brings nothing."""
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    if name == "none":
        return None
    kernel = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name]
    return nn.Sequential(nn.ReLU(), *conv_bn(width, width, kernel, padding=kernel // 2))


class Cell(nn.Module):
    """Four nodes; `edges` holds the operation from node a to node b as "a-b", none being absent."""

    def __init__(self, cell: Mapping[str, str], width: int, make: Make) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for to in range(1, NODES):
            for source in range(to):
                path = f"node{to}/from{source}"
                made = make(path, cell[path], width)
                if made is not None:
                    self.edges[f"{source}-{to}"] = made

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same; a node nothing reaches is zero."""
        nodes = [x]
        for to in range(1, NODES):
            total = x * 0
            for source in range(to):
                if f"{source}-{to}" in self.edges:
                    total = total + self.edges[f"{source}-{to}"](nodes[source])
            nodes.append(total)
        return total


class Residual(nn.Module):
    """Two 3x3 convolutions, the first of stride 2, beside an average pooling and a 1x1 convolution."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        first = [nn.ReLU(), *conv_bn(width, out, 3, 2, 1)]
        self.deep = nn.Sequential(*first, nn.ReLU(), *conv_bn(out, out, 3, 1, 1))
        self.short = nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(width, out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.short(x) + self.deep(x)
        return total
