"""Encoders and decoders for the class of each pixel (Ronneberger, Fischer & Brox, "U-Net: Convolutional
Networks for Biomedical Image Segmentation", MICCAI 2015, arXiv 1505.04597): stages that halve the image, then
as many steps that double it again, each of which may read what the encoder knew at that resolution.

Blocks of the encoder are those of `stages`, and one more:

    plain       convolutions after max pooling (U-Net)
    residual    basic blocks after max pooling (Zhang, Liu & Wang 2018, arXiv 1711.10684, ResUNet)
    inverted    inverted bottlenecks (Sandler et al. 2018, MobileNetV2)
    separable   depthwise-separable convolutions
    dilated     a convolution and basic blocks with dilations 2 and 4 in turn, which do not halve the image
                (Yu & Koltun 2016, arXiv 1511.07122; Chen et al. 2017, arXiv 1606.00915, DeepLab)

A step of the decoder takes the coarse state to the channels of the finer one, doubles it, merges both, and
convolves. They are merged by concatenation (U-Net), by a sum (Chaurasia & Culurciello 2017, arXiv 1707.03718,
LinkNet; Lin et al. 2017, arXiv 1612.03144, FPN), or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.chains.stages import network as stages
from cambrian.spaces.chains.stages.widths import scale_channels

DILATIONS = (2, 4)
UNSHORTENED = ("plain", "dilated")
"""Blocks that take any number of channels themselves; others are added to their input."""


class Scale(NamedTuple):
    """`depth` blocks of one kind, with `width` times the channels usual at their place; and the step that
    leads from this scale back to the one before it: how it is merged with that one's state (`skip`), and its
    number of convolutions (`decoder`). The first scale has no such step."""

    block: str
    depth: int
    width: float
    skip: str = "none"
    decoder: int = 0


def network(
    scales: Sequence[Scale],
    task: tuple[int, int, int],
    *,
    dense: bool = True,
    filters: int = 16,
    stem_stride: int = 1,
) -> nn.Module:
    """The network for `task` (channels, pixels of the shorter side, classes): float[n, channels, h, w] to
    float[n, classes, h, w], or where not `dense` to their means float[n, classes]. `filters` are the channels
    of the first scale, doubled at each later one. Images are reduced by `stem_stride` (a power of two) first,
    and the logits scaled up again."""
    check_numbers(COUNT, filters=filters, stem_stride=stem_stride)
    return EncoderDecoder(scales, task, dense, filters, stem_stride)


class EncoderDecoder(nn.Module):
    """See `network`."""

    def __init__(
        self, scales: Sequence[Scale], task: tuple[int, int, int], dense: bool, filters: int, stem_stride: int
    ) -> None:
        super().__init__()
        channels, side, classes = task
        stem: list[nn.Module] = []
        for _ in range(stem_stride.bit_length() - 1):
            stem.append(stages.convolution(channels, filters, 3, stride=2))
            channels, side = filters, -(-side // 2)
        self.stem = nn.Sequential(*stem)
        widths = [scale_channels(filters * 2**n, scale.width) for n, scale in enumerate(scales)]
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for place, (scale, out) in enumerate(zip(scales, widths, strict=True)):
            halves = place > 0 and scale.block != "dilated" and side >= stages.SMALLEST
            self.encoder.append(_make_scale(scale, place, channels, out, halves))
            channels, side = out, side // 2 if halves else side
            if place:
                self.decoder.append(Step(out, widths[place - 1], scale.skip, scale.decoder))
        self.head = nn.Conv2d(widths[0], classes, 1)
        self._dense = dense

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = self.stem(x)
        states: list[Tensor] = []
        for stage in self.encoder:
            x = stage(x)
            states.append(x)
        for n in range(len(states) - 2, -1, -1):
            x = self.decoder[n](x, states[n])
        logits: Tensor = self.head(x)
        if not self._dense:
            return logits.mean((2, 3))
        if logits.shape[2:] == (height, width):
            return logits
        return F.interpolate(logits, (height, width), mode="bilinear")


class Step(nn.Module):
    """float[n, coarse, h, w] and float[n, fine, h', w'] -> float[n, fine, h', w']."""

    def __init__(self, coarse: int, fine: int, skip: str, convolutions: int) -> None:
        super().__init__()
        self._skip = skip
        # Before the image is doubled, which is the same as after it and costs a quarter.
        self.narrow = stages.convolution(coarse, fine, 1)
        doubled = skip == "concatenate"
        layers: list[nn.Module] = []
        if doubled and not convolutions:
            layers.append(stages.convolution(2 * fine, fine, 1))
        for n in range(convolutions):
            layers.append(stages.convolution(2 * fine if doubled and n == 0 else fine, fine, 3))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        x = F.interpolate(self.narrow(x), state.shape[2:], mode="nearest")
        if self._skip == "concatenate":
            x = torch.cat([state, x], 1)
        elif self._skip == "add":
            x = x + state
        merged: Tensor = self.layers(x)
        return merged


class Dilated(nn.Module):
    """The basic block at one resolution: (n, channels, h, w) -> the same."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        first, second = (_dilate(channels, dilation) for _ in range(2))
        self.path = nn.Sequential(*first, nn.ReLU(inplace=True), *second)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.path(x) + x)


def _dilate(channels: int, dilation: int) -> list[nn.Module]:
    conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(channels)]


def _make_scale(scale: Scale, place: int, channels: int, out: int, halves: bool) -> nn.Module:
    """(n, channels, h, w) -> (n, out, h', w'), where h' is about h / 2 if the scale halves the image."""
    modules: list[nn.Module] = []
    if place == 0 and scale.block not in UNSHORTENED:
        modules.append(stages.convolution(channels, out, 3))
        channels = out
    return nn.Sequential(*modules, *KINDS[scale.block](channels, out, scale.depth, halves))


def _make_dilated(channels: int, out: int, depth: int, halves: bool) -> list[nn.Module]:
    blocks = (Dilated(out, DILATIONS[n % len(DILATIONS)]) for n in range(depth))
    return [stages.convolution(channels, out, 3), *blocks]


def _take(kind: str) -> Kind:
    """The kind of `stages`, with kernels of 3x3."""
    return partial(_make_stage, stages.KINDS[kind])


def _make_stage(
    make: stages.Stages, channels: int, out: int, depth: int, halves: bool
) -> Sequence[nn.Module]:
    return make(channels, out, depth, 3, halves)


Kind = Callable[[int, int, int, bool], Sequence[nn.Module]]
KINDS: dict[str, Kind] = {
    "plain": _take("plain"),
    "residual": _take("pooled"),
    "inverted": _take("inverted"),
    "separable": _take("separable"),
    "dilated": _make_dilated,
}
