"""The network of Zoph & Le's anchor points (ICLR 2017, Sec. 3.3): padded convolutions with normalisation
and ReLU, each on what it reads; smaller images are padded with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

from cambrian.networks.operations import Make
from cambrian.networks.pointwise import conv2d
from cambrian.networks.skeletons.branch import Plan, Size
from cambrian.settings import POSITIVE, check_numbers


def network(
    operations: Sequence[tuple[str, int, int]],
    combine: Sequence[str],
    sources: Sequence[Sequence[int]],
    image: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    make: Make | None = None,
) -> nn.Module:
    """`operations` such as ("conv3x5", 36, 2): height and width, filters, stride. `sources[n]` are read
    by layer n + 1 and combined as `combine[n]` says, the last ones by the classifier. Takes float[n,
    *image], gives float[n, classes]."""
    check_numbers(POSITIVE, width=width)
    plan, make = Plan(Size(*image)), make or convolution

    def layer(n: int, size: Size) -> tuple[nn.Module, Size]:
        name, filters, stride = operations[n]
        out = max(1, round(filters * width))
        return make(f"layer{n + 1}", name, size.channels, out, stride), size.strided(out, stride)

    for n in range(len(operations)):
        plan.add(sources[n], partial(layer, n), combine[n])
    plan.add(sources[-1], lambda size: (nn.Identity(), size), combine[-1])
    return plan.network(classes)


def convolution(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """ "conv3x5": (n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
    height, width = map(int, name.removeprefix("conv").split("x"))
    padding = (height // 2, width // 2)
    conv = conv2d(channels, out, (height, width), stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
