"""The network of a freely grown graph (Real et al., ICML 2017, Sec. 3.1): convolutions with batch
normalisation and ReLU, or without both, and identities.

Where a layer reads several outputs the one before it, the backbone's, stays as it is; the others are
resized to it by nearest neighbours, their channels cut or filled with zeros, and all are added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from functools import cache, lru_cache, partial
from typing import NamedTuple

from torch import Tensor, nn

from cambrian.networks.pointwise import conv2d
from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.networks.skeletons.branch import Branches, Drawing, Size, classifier, node_of
from cambrian.settings import POSITIVE, check_numbers


class Row(NamedTuple):
    """A layer: "relu" or "linear", a convolution with these channels, or "identity", and which outputs it
    reads besides the layer before it (0: the image)."""

    kind: str
    height: int
    width: int
    stride: int
    channels: int
    skips: tuple[int, ...]


Rows = tuple[Row, ...]


class Most(NamedTuple):
    """Limits of the networks that one supernet holds: layers, the side of a kernel, channels."""

    layers: int
    side: int
    channels: int


def network(
    read: Reading[Rows], most: Most, image: tuple[int, int, int], classes: int, *, width: float = 1.0
) -> nn.Module:
    """Takes float[n, *image], gives float[n, classes]: without any convolution, a linear model of the
    pixels. Shared, a convolution is the middle of the largest one, of its first channels."""
    check_numbers(POSITIVE, width=width)
    drawn = read.within(lru_cache(maxsize=64)(lambda rows: _draw(rows, Size(*image), width)))
    widest = scale_channels(most.channels, width)
    nodes: dict[Hashable, Maker] = {
        n: partial(_layer, drawn, n, max(image[0], widest) if n else image[0], widest, most.side)
        for n in range(read.count(len, most.layers))
    }
    body = Branches(drawn, nodes)
    # Without a convolution the model is linear in the pixels, so that these are not averaged.
    heads: dict[bool, Maker] = {
        False: partial(classifier, drawn, classes, max(image[0], widest)),
        True: partial(nn.Linear, math.prod(image), classes),
    }
    pool = read.layers(_is_linear, {False: partial(nn.AdaptiveAvgPool2d, 1)}, nothing={True: nn.Identity})
    return nn.Sequential(body, *pool, nn.Flatten(), read.fork(_is_linear, heads))


def _is_linear(rows: Rows) -> bool:
    return all(row.kind == "identity" for row in rows)


def scale_channels(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _layer(read: Reading[Drawing], n: int, before: int, widest: int, side: int) -> nn.Module:
    """Layer n: skips with more channels than the backbone are cut to the backbone's."""

    def convolve(make: Callable[..., nn.Module]) -> nn.Module:
        size = node_of(n, lambda node: (node.settings[1], node.size.channels, *node.settings[2:]))
        return read.elastic(size, lambda size: make(*size), (before, widest, side, side, 1))

    kinds: dict[str, Maker] = {
        "relu": partial(convolve, relu_convolution),
        "linear": partial(convolve, plain),
        "identity": nn.Identity,
    }
    # Cached: with and without the cut it is one layer, with one set of weights.
    layer = cache(lambda: read.fork(node_of(n, lambda node: node.settings[0]), kinds))

    def cut() -> nn.Module:
        return nn.Sequential(read.elastic(node_of(n, lambda node: node.settings[1]), Cut, before), layer())

    cuts = node_of(n, lambda node: node.given.channels != node.settings[1])
    return read.fork(cuts, {False: layer, True: cut})


def _draw(rows: Rows, image: Size, width: float) -> Drawing:
    """Settings of a node are its kind, the channels of the backbone before it, and of a convolution height,
    width and stride."""
    drawing = Drawing(image, "nearest")
    for n, row in enumerate(rows):
        # Identities keep the channels of the backbone, whichever skips are added to it.
        before = drawing.sizes[n].channels
        out = before if row.kind == "identity" else scale_channels(row.channels, width)
        give = partial(Size.apply_stride, channels=out, stride=row.stride)
        drawing.add(n, [n, *row.skips], give, settings=(row.kind, before, row.height, row.width, row.stride))
    return drawing


class Cut(nn.Module):
    """The first channels: (n, c, h, w) -> (n, channels, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : self.channels]


def plain(channels: int, out: int, height: int, width: int, stride: int) -> nn.Module:
    """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
    return conv2d(channels, out, (height, width), stride, (height // 2, width // 2))


def relu_convolution(channels: int, out: int, height: int, width: int, stride: int) -> nn.Module:
    """The same, with batch normalisation and ReLU."""
    conv = conv2d(channels, out, (height, width), stride, (height // 2, width // 2), bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
