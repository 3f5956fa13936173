"""Stages of convolutional blocks for small trainings on small images: the networks that a practitioner would
write by hand. Every block ends in a ReLU, or is added to its input.

    plain       convolutions (VGG, Simonyan & Zisserman 2015)
    residual    basic blocks, the first one with a stride (He et al. 2016, Fig. 5 left); the shortcut averages
                before it projects (He et al. 2019, Sec. 4.2, ResNet-D)
    pooled      the same blocks after max pooling, which costs less than a stride in the first block
    paired      a convolution, max pooling, and pairs of convolutions beside an identity: the ResNet-9 of
                DAWNBench (Page 2018, "How to train your ResNet")
    bottleneck  1x1 to a quarter, kxk, 1x1 (He et al. 2016, Fig. 5 right)
    inverted    1x1 to four times, depthwise kxk, 1x1 (Sandler et al. 2018, MobileNetV2, Sec. 3.3)
    fused       kxk to twice, 1x1 (Tan & Le 2021, EfficientNetV2, Sec. 3.3)
    separable   two depthwise-separable convolutions beside an identity (Zoph et al. 2018, NASNet, Sec. 3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, SHARE, check_numbers
from cambrian.spaces.chains.stages.widths import scale_channels

SMALLEST = 4
"""Pixels: an image is not halved below so many."""


class Stage(NamedTuple):
    """`depth` blocks of one kind; channels are `width` times those usual at its place."""

    block: str
    depth: int
    width: float
    kernel: int


class Plan(NamedTuple):
    """A network: its stages, each after the first at half the resolution, and the pooling before the linear
    layer, "mean" or "max"."""

    stages: tuple[Stage, ...]
    pool: str


def network(
    read: Reading[Plan],
    task: tuple[int, int, int],
    *,
    filters: int = 16,
    stem_stride: int = 1,
    dropout: float = 0.0,
) -> nn.Module:
    """The network for `task` (channels, pixels of the shorter side, classes): float[n, channels, h, w] to
    float[n, classes]. `filters` are the channels of the first stage, doubled at each later one. Images are
    reduced by `stem_stride` (a power of two) before the first stage."""
    check_numbers(COUNT, filters=filters, stem_stride=stem_stride)
    check_numbers(SHARE, dropout=dropout)
    channels, side, classes = task
    modules: list[nn.Module] = []
    for _ in range(stem_stride.bit_length() - 1):
        modules.append(convolution(channels, filters, 3, stride=2))
        channels, side = filters, -(-side // 2)
    for place in range(read.value(lambda plan: len(plan.stages))):
        out = _read_channels(read, place, filters)
        halves = place > 0 and side >= SMALLEST
        makers = {kind: partial(_make_stage, read, place, kind, channels, out, halves) for kind in KINDS}
        modules.append(read.fork(partial(_read_block, place), makers, f"stage{place + 1}/block"))
        channels, side = out, side // 2 if halves else side
    pools: dict[str, Callable[[], nn.Module]] = {
        "mean": partial(nn.AdaptiveAvgPool2d, 1),
        "max": partial(nn.AdaptiveMaxPool2d, 1),
    }
    modules += [read.fork(lambda plan: plan.pool, pools, "pool"), nn.Flatten(), nn.Dropout(dropout)]
    return nn.Sequential(*modules, nn.Linear(channels, classes))


def _read_block(place: int, plan: Plan) -> str:
    return plan.stages[place].block


def _read_channels(read: Reading[Plan], place: int, filters: int) -> int:
    width = read.value(lambda plan: plan.stages[place].width)
    return scale_channels(filters * 2**place, width)


def _make_stage(
    read: Reading[Plan], place: int, kind: str, channels: int, out: int, halves: bool
) -> nn.Module:
    """(n, channels, h, w) -> (n, out, h', w'), where h' is about h / 2 if the stage halves the image."""
    depth, kernel = read.value(lambda plan: (plan.stages[place].depth, plan.stages[place].kernel))
    modules: list[nn.Module] = []
    # Blocks that are added to their input need one of their own width: in the first stage, a stem's output.
    if place == 0 and kind not in ("plain", "paired"):
        modules.append(convolution(channels, out, 3))
        channels = out
    return nn.Sequential(*modules, *KINDS[kind](channels, out, depth, kernel, halves))


def _make_plain(channels: int, out: int, depth: int, kernel: int, halves: bool) -> list[nn.Module]:
    widths = [channels, *[out] * depth]
    layers = [convolution(a, b, kernel) for a, b in pairwise(widths)]
    return [*_pool(halves), *layers]


def _make_residual(channels: int, out: int, depth: int, kernel: int, halves: bool) -> list[nn.Module]:
    first = Residual(channels, out, kernel, 2 if halves else 1)
    return [first, *(Residual(out, out, kernel) for _ in range(depth - 1))]


def _make_pooled(channels: int, out: int, depth: int, kernel: int, halves: bool) -> list[nn.Module]:
    return [*_pool(halves), *_make_residual(channels, out, depth, kernel, False)]


def _make_paired(channels: int, out: int, depth: int, kernel: int, halves: bool) -> list[nn.Module]:
    pairs = (Beside(convolution(out, out, kernel), convolution(out, out, kernel)) for _ in range(depth - 1))
    return [convolution(channels, out, kernel), *_pool(halves), *pairs]


def _repeat(block: Callable[[int, int, int, int], nn.Sequential]) -> Stages:
    """Stages of a block that is added to its input where their shapes agree."""

    def make(channels: int, out: int, depth: int, kernel: int, halves: bool) -> list[nn.Module]:
        shapes = [(channels, 2 if halves else 1), *[(out, 1)] * (depth - 1)]
        blocks = [
            (block(width, out, kernel, stride), width == out and stride == 1) for width, stride in shapes
        ]
        return [Beside(*path) if same else path for path, same in blocks]

    return make


def _bottleneck(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    inner = max(4, out // 4)
    return nn.Sequential(
        convolution(channels, inner, 1),
        convolution(inner, inner, kernel, stride),
        convolution(inner, out, 1),
    )


def _inverted(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    wide = 4 * channels
    depthwise = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
    normalised = nn.Sequential(depthwise, nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
    # A linear projection: a ReLU would lose information in few channels (Sandler et al. 2018, Sec. 3.2).
    return nn.Sequential(convolution(channels, wide, 1), normalised, conv_bn(wide, out))


def _fused(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    wide = 2 * channels
    return nn.Sequential(convolution(channels, wide, kernel, stride), conv_bn(wide, out))


def _separable(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _depthwise(channels, out, kernel, stride), nn.ReLU(inplace=True), _depthwise(out, out, kernel, 1)
    )


def _depthwise(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    depthwise = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    return nn.Sequential(depthwise, conv_bn(channels, out))


def convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
    return nn.Sequential(conv_bn(channels, out, kernel, stride, kernel // 2), nn.ReLU(inplace=True))


def _pool(halves: bool) -> list[nn.Module]:
    # In either case a module, so that the names of weights are the same at every resolution.
    return [nn.MaxPool2d(2) if halves else nn.Identity()]


class Beside(nn.Sequential):
    """Modules in a row beside an identity: (n, channels, h, w) -> the same."""

    def forward(self, input: Tensor) -> Tensor:
        output = input
        for module in self:
            output = module(output)
        return input + output


class Residual(nn.Module):
    """The basic block: (n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        first = convolution(channels, out, kernel, stride)
        self.path = nn.Sequential(first, conv_bn(out, out, kernel, padding=kernel // 2))
        same = channels == out and stride == 1
        self.shortcut = nn.Identity() if same else _project(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.path(x) + self.shortcut(x))


def _project(channels: int, out: int, stride: int) -> nn.Sequential:
    # Sizes are rounded up, as those of the strided convolution beside it.
    average = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
    return nn.Sequential(average if stride > 1 else nn.Identity(), conv_bn(channels, out))


Stages = Callable[[int, int, int, int, bool], Sequence[nn.Module]]
KINDS: dict[str, Stages] = {
    "plain": _make_plain,
    "residual": _make_residual,
    "pooled": _make_pooled,
    "paired": _make_paired,
    "bottleneck": _repeat(_bottleneck),
    "inverted": _repeat(_inverted),
    "fused": _repeat(_fused),
    "separable": _repeat(_separable),
}
