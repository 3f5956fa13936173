"""The network of a Cartesian genetic program (Suganuma et al., GECCO 2017, Sec. 3.1 and Table 1).

Where two outputs are joined the larger image is halved by max pooling until both fit; a sum fills missing
channels with zeros. An image of one pixel is not pooled any more. The output's pixels go to one linear layer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.operations import Make, conv_bn
from cambrian.networks.skeletons.branch import Plan, Size
from cambrian.settings import POSITIVE, check_numbers


def network(
    nodes: Sequence[tuple[str, Sequence[int]]],
    image: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    make: Make | None = None,
) -> nn.Module:
    """`nodes` are (function, inputs), such as ("ConvBlock(64,3)", (0,)) for 64 filters of 3x3; 0 is the
    image. Takes float[n, *image], gives float[n, classes]."""
    check_numbers(POSITIVE, width=width)
    plan = Plan(Size(*image))
    for n, (function, inputs) in enumerate(nodes, 1):
        combine = function if function in ("sum", "concat") else "sum"
        plan.add(inputs, partial(_node, make or operation, f"node{n}", function, width), combine, "pool")
    return plan.network(classes, flatten=True)


def _node(make: Make, path: str, function: str, width: float, size: Size) -> tuple[nn.Module, Size]:
    if function in ("sum", "concat"):
        return nn.Identity(), size
    if function.endswith("pool"):
        return _pool(function, size), size.halve()
    block, filters, kernel = re.fullmatch(r"(\w+)\((\d+),(\d+)\)", function).groups()  # type: ignore[union-attr]
    out = max(1, round(int(filters) * width))
    made = make(path, f"{block}{kernel}x{kernel}", size.channels, out, 1)
    return made, size.strided(max(out, size.channels) if block == "ResBlock" else out)


def _pool(function: str, size: Size) -> nn.Module:
    window = (min(2, size.height), min(2, size.width))
    return nn.MaxPool2d(window) if function == "max-pool" else nn.AvgPool2d(window)


def operation(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """ "ConvBlock3x3": (n, channels, h, w) -> (n, out, h, w); "ResBlock3x3": never fewer channels."""
    kernel = int(name[-1])
    if name.startswith("Res"):
        return ResBlock(channels, out, kernel)
    return nn.Sequential(*conv_bn(channels, out, kernel, stride, kernel // 2), nn.ReLU())


class ResBlock(nn.Module):
    """Two convolutions beside an identity; the narrower of both is filled up with zeros."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        first = conv_bn(channels, out, kernel, padding=kernel // 2)
        self.path = nn.Sequential(*first, nn.ReLU(), *conv_bn(out, out, kernel, padding=kernel // 2))
        self.missing = (max(0, channels - out), max(0, out - channels))  # in the path, in the identity

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, max(channels, out), h, w)."""
        path, identity = (
            F.pad(y, (0, 0, 0, 0, 0, missing))
            for y, missing in zip((self.path(x), x), self.missing, strict=True)
        )
        return F.relu(path + identity)
