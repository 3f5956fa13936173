"""The network of NAS-Bench-201 (Dong & Yang, ICLR 2020, Sec. 2.1): a stem, three stages of equal cells
with a residual block of stride 2 between them, and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter

from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.networks.sharing.switches import Nothing, connects
from cambrian.settings import COUNT, check_numbers

STAGES = 3
NODES = 4
NONE = "none"
EDGES = tuple((source, to) for to in range(1, NODES) for source in range(to))


def network(
    read: Reading[Sequence[str]],
    channels: int,
    classes: int,
    *,
    filters: int = 16,
    cells: int = 5,
) -> nn.Module:
    """`cells` per stage, `filters` in the first stage and twice as many in each after it; a cell is the
    operation on each edge, in the order of `EDGES`. Takes float[n, channels, h, w], gives float[n,
    classes]."""
    check_numbers(COUNT, filters=filters, cells=cells)
    layers: list[nn.Module] = [conv_bn(channels, filters, 3, padding=1)]
    for stage in range(STAGES):
        width = filters * 2**stage
        if stage:
            # Between stages, as in the paper: the first stage follows the stem directly.
            layers.append(Residual(width // 2, width))
        layers += [Cell(read, width) for _ in range(cells)]
    pool = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *pool, nn.Linear(width, classes))


def convolution(kernel: int, width: int) -> nn.Module:
    """ReLU, convolution, normalisation."""
    return nn.Sequential(nn.ReLU(), *conv_bn(width, width, kernel, padding=kernel // 2))


OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "skip_connect": lambda width: nn.Identity(),
    "nor_conv_1x1": partial(convolution, 1),
    "nor_conv_3x3": partial(convolution, 3),
    "avg_pool_3x3": lambda width: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}
"""Makers of operations by name, for a number of channels; "none" does not have one."""


class Cell(nn.Module):
    """Four nodes; `edges` holds the operation from node a to node b as "a-b", none being absent. The paths of
    their questions begin with `prefix`."""

    def __init__(self, read: Reading[Sequence[str]], width: int, prefix: str = "") -> None:
        super().__init__()
        makers = {name: partial(make, read.narrow(width)) for name, make in OPERATIONS.items()}
        self.edges = nn.ModuleDict()
        for n, (source, to) in enumerate(EDGES):
            # In a plain network an edge with "none" has no module, and its name is absent.
            path = f"{prefix}node{to}/from{source}"
            for made in read.layers(itemgetter(n), makers, path, {NONE: Nothing}, partial=True):
                self.edges[f"{source}-{to}"] = made

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same; a node nothing reaches is zero."""
        nodes = [x]
        for to in range(1, NODES):
            total: Tensor | None = None
            for source in range(to):
                name = f"{source}-{to}"
                # Zeros are never added, neither at first nor for no connection: a sum is a pass over memory.
                if name in self.edges and connects(self.edges[name]):
                    output = self.edges[name](nodes[source])
                    total = output if total is None else total + output
            # Keeps shape, device and gradient where no edge arrives.
            nodes.append(x * 0 if total is None else total)
        return nodes[-1]


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
