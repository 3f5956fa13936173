"""The networks of once-for-all (Cai et al., ICLR 2020, arXiv 1908.09791, Sec. 3.1 and 4.1): MobileNetV3
(Howard et al. 2019, arXiv 1905.02244) whose units have an elastic kernel and an elastic width, and whose
stages have an elastic depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, POSITIVE, Span, check_numbers
from cambrian.spaces.chains.mobile.network import Residual, bottleneck, fitting, scale_channels


class Unit(NamedTuple):
    """The place of a unit: its stage's channels, its stride, and whether it has h-swish and a squeeze and
    excitation."""

    out: int
    stride: int
    swish: bool
    squeeze: bool


Size = tuple[int, int]  # expansion and kernel
Rows = Sequence[Size | None]  # of each place, or None where the stage is shallower

ABSENT, PRESENT = "skip", "unit"


def network(
    read: Reading[Rows],
    units: Sequence[Unit],
    most: Size,
    kernels: Sequence[int],
    task: tuple[int, int, int],
    *,
    width: float = 1.0,
    stem: int = 16,
    features: int = 960,
    mixed: int = 1280,
) -> nn.Module:
    """For `task` (channels, pixels of the shorter side, classes): float[n, channels, h, w] to float[n,
    classes]. All channels are `width` times those given, rounded to eights; strides are kept, from the last
    on, as long as a side of 4 pixels is left. The means of the `features` go through a layer of `mixed`
    units, if any, before the classifier."""
    check_numbers(POSITIVE, width=width)
    check_numbers(COUNT, stem=stem, features=features)
    check_numbers(Span(0, whole=True), mixed=mixed)
    channels = scale_channels(stem, width)
    first, *strides = fitting([2, *(unit.stride for unit in units)], task[1])
    modules: list[nn.Module] = [*conv_bn(task[0], channels, 3, first, padding=1), nn.Hardswish()]
    # The unit before the stages is the same in all networks.
    modules.append(Residual(bottleneck(channels, channels, channels, 3, 1, 0, nn.ReLU), nn.Identity()))
    for n, (unit, stride) in enumerate(zip(units, strides, strict=True)):
        out = scale_channels(unit.out, width)
        place = unit._replace(out=out, stride=stride)
        modules += _place_unit(read, n, channels, place, most, kernels)
        channels = out
    features = scale_channels(features, width)
    modules += [*conv_bn(channels, features), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if mixed:
        mixed = scale_channels(mixed, width)
        # Without a bias, as in the released code, where it is a 1x1 convolution.
        modules += [nn.Linear(features, mixed, bias=False), nn.Hardswish()]
    return nn.Sequential(*modules, nn.Linear(mixed or features, task[2]))


def _place_unit(
    read: Reading[Rows], n: int, channels: int, place: Unit, most: Size, kernels: Sequence[int]
) -> list[nn.Module]:
    """Unit n, or nothing where its stage is shallower."""

    def make() -> nn.Module:
        return read.elastic(
            lambda rows: rows[n], partial(InvertedUnit, channels, place), most, kernels=kernels
        )

    return read.layers(
        lambda rows: ABSENT if rows[n] is None else PRESENT,
        {PRESENT: make},
        nothing={ABSENT: nn.Identity} if place.stride == 1 and channels == place.out else {},
    )


class InvertedUnit(nn.Module):
    """1x1 convolution to `expansion` times the channels, depthwise kxk, squeeze and excitation, 1x1 back;
    beside an identity where shapes allow."""

    def __init__(self, channels: int, place: Unit, size: Size) -> None:
        super().__init__()
        expansion, kernel = size
        wide, act = channels * expansion, nn.Hardswish if place.swish else nn.ReLU
        self.expand = nn.Sequential(*conv_bn(channels, wide), act())
        depthwise = nn.Conv2d(wide, wide, kernel, place.stride, kernel // 2, groups=wide, bias=False)
        self.depthwise = nn.Sequential(depthwise, nn.BatchNorm2d(wide), act())
        self.squeeze = SqueezeExcite(wide, scale_channels(wide, 0.25)) if place.squeeze else None
        self.project = conv_bn(wide, place.out)
        self.residual = place.stride == 1 and channels == place.out
        self.wide = wide

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
        y = self.depthwise(self.expand(x))
        if self.squeeze is not None:
            y = self.squeeze(y)
        y = self.project(y)
        out: Tensor = y + x if self.residual else y
        return out

    @torch.no_grad()
    def order_channels(self) -> list[tuple[Tensor, int, Tensor]]:
        """How the weights have to be reordered, as (tensor, dimension, indices), so that the first channels
        are the most important ones: those that the last convolution weighs the most (Cai et al., Sec. 3.3).
        The function of the unit stays the same."""
        last = next(self.project.parameters())  # [out, wide, 1, 1]
        order = last.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
        parts = [*self.expand.children(), *self.depthwise.children()]
        tensors = [t for part in parts for t in (*part.parameters(), *part.buffers()) if t.ndim]
        moves = [(tensor, 0, order) for tensor in tensors] + [(last, 1, order)]
        return moves + (self.squeeze.order_channels(order) if self.squeeze is not None else [])


class SqueezeExcite(nn.Module):
    """Scales channels by a function of their means, with MobileNetV3's hard sigmoid."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeeze, 1)
        self.expand = nn.Conv2d(squeeze, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> the same."""
        means = x.mean((2, 3), keepdim=True)
        scaled: Tensor = x * nn.functional.hardsigmoid(self.expand(nn.functional.relu(self.reduce(means))))
        return scaled

    def order_channels(self, order: Tensor) -> list[tuple[Tensor, int, Tensor]]:
        """As of the unit: the channels as there, and those in between by their own importance."""
        within = self.expand.weight.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
        outer = [(self.reduce.weight, 1, order), (self.expand.weight, 0, order), (self.expand.bias, 0, order)]
        inner = [(self.reduce.weight, 0), (self.reduce.bias, 0), (self.expand.weight, 1)]
        return [*outer, *((tensor, dim, within) for tensor, dim in inner)]  # type: ignore[list-item]
