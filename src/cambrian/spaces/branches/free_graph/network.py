"""The network of a freely grown graph (Real et al., ICML 2017, Sec. 3.1): convolutions with batch
normalisation and ReLU, or without both, and identities.

Where a layer reads several outputs the one before it, the backbone's, stays as it is; the others are
resized to it by nearest neighbours, their channels cut or filled with zeros, and all are added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from cambrian.networks.operations import Make
from cambrian.networks.pointwise import conv2d
from cambrian.networks.skeletons.branch import Plan, Size
from cambrian.settings import POSITIVE, check_numbers


class Row(NamedTuple):
    """A layer: "conv3x5-relu" or "identity", the channels (of the input, for an identity), the stride, and
    what it reads besides the layer before it (0: the image)."""

    operation: str
    channels: int
    stride: int
    skips: Sequence[int]


def network(
    rows: Sequence[Row],
    image: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    make: Make | None = None,
) -> nn.Module:
    """Takes float[n, *image], gives float[n, classes]: without any convolution, a linear model of the
    pixels."""
    check_numbers(POSITIVE, width=width)
    plan = Plan(Size(*image))
    for n, row in enumerate(rows):
        before = plan.sizes[n].channels
        out = before if row.operation == "identity" else max(1, round(row.channels * width))
        made = partial(make or operation, f"layer{n + 1}", row.operation)
        plan.add([n, *row.skips], partial(_node, made, before, out, row.stride), "sum", "nearest")
    return plan.network(classes, flatten=all(row.operation == "identity" for row in rows))


def _node(
    make: Callable[[int, int, int], nn.Module], channels: int, out: int, stride: int, size: Size
) -> tuple[nn.Module, Size]:
    """Skips with more channels than the backbone are cut to its own."""
    made = make(channels, out, stride)
    cut = [] if size.channels == channels else [Cut(channels)]
    return nn.Sequential(*cut, made) if cut else made, size.strided(out, stride)


class Cut(nn.Module):
    """The first channels: (n, c, h, w) -> (n, channels, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : self.channels]


def operation(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """ "identity", or "conv3x5-relu": (n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
    if name == "identity":
        return nn.Identity()
    kernel, activation = name.removeprefix("conv").split("-")
    height, width = map(int, kernel.split("x"))
    padding = (height // 2, width // 2)
    if activation == "linear":
        return conv2d(channels, out, (height, width), stride, padding)
    conv = conv2d(channels, out, (height, width), stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
