"""The network of NAS-Bench-201 (Dong & Yang, ICLR 2020, Sec. 2.1): a stem, three stages of equal cells
with a residual block of stride 2 between them, and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.operations import conv_bn

STAGES = 3
NODES = 4


def network(
    cell: Sequence[int], channels: int, classes: int, *, filters: int = 16, cells: int = 5
) -> nn.Module:
    """`cells` per stage, `filters` in the first stage and twice as many in each after it. Takes
    float[n, channels, h, w], gives float[n, classes]."""
    if filters < 1 or cells < 1:
        raise UsageError(f"a network needs filters and cells of at least 1, got {filters} and {cells}")
    layers: list[nn.Module] = [conv_bn(channels, filters, 3, padding=1)]
    for stage in range(STAGES):
        width = filters * 2**stage
        if stage:
            layers.append(Residual(width // 2, width))
        layers += [Cell(cell, width) for _ in range(cells)]
    pool = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *pool, nn.Linear(width, classes))


def operation(code: int, width: int) -> nn.Module | None:
    """1 skip connection, 2 and 3 ReLU-convolution-normalisation of 1x1 and 3x3, 4 average pooling."""
    if code == 1:
        return nn.Identity()
    if code == 4:
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    if code in (2, 3):
        kernel = 2 * code - 3
        return nn.Sequential(nn.ReLU(), *conv_bn(width, width, kernel, padding=kernel // 2))
    return None


class Cell(nn.Module):
    """Four nodes; `edges` holds the operation from node a to node b as "a-b", none being absent."""

    def __init__(self, cell: Sequence[int], width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        codes = iter(cell)
        for to in range(1, NODES):
            for source in range(to):
                made = operation(next(codes), width)
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
