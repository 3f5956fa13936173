"""The network of Zoph & Le's anchor points (ICLR 2017, Sec. 3.3): padded convolutions with normalisation
and ReLU, each on the outputs that it reads; smaller images are padded with zeros.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache, partial
from typing import NamedTuple

from torch import nn

from cambrian.networks.pointwise import conv2d
from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.networks.skeletons.branch import Drawing, Size, branch_network, node_of, read_channels
from cambrian.settings import POSITIVE, check_numbers


class Row(NamedTuple):
    """A layer: its kernel, filters and stride, which outputs it reads (0: the image), combined how."""

    height: int
    width: int
    filters: int
    stride: int
    reads: tuple[int, ...]
    combine: str


class Rows(NamedTuple):
    """All layers, and the outputs that the classifier reads, combined how."""

    layers: tuple[Row, ...]
    reads: tuple[int, ...]
    combine: str


class Most(NamedTuple):
    """Limits of the networks that one supernet holds: layers, sides of kernels, filters."""

    layers: int
    height: int
    width: int
    filters: int


END = "end"  # the key of the node that the classifier reads


def network(
    read: Reading[Rows], most: Most, image: tuple[int, int, int], classes: int, *, width: float = 1.0
) -> nn.Module:
    """Takes float[n, *image], gives float[n, classes]. Shared, a layer has weights for each output that it
    may read, and a small kernel is the middle of a large one."""
    check_numbers(POSITIVE, width=width)
    # Drawn once per plan: every node of the network asks for its sizes.
    drawn = read.within(lru_cache(maxsize=64)(lambda rows: _draw(rows, Size(*image), width)))
    count = read.count(lambda rows: len(rows.layers), most.layers)
    widest = scale_filters(most.filters, width)

    def begin(output: int) -> int:
        return max(0, output - 1) * widest  # the image is read by those that read nothing else

    def layer(n: int) -> nn.Module:
        """Layer n, counted from 0."""
        largest = (max(image[0], n * widest), widest, most.height, most.width, 1)
        return drawn.elastic(
            node_of(n, lambda node: (node.given.channels, node.size.channels, *node.settings)),
            lambda size: convolution(*size),
            largest,
            read_channels(n, begin),
        )

    # The classifier reads only outputs that nobody else does, joined in a node without weights.
    makers: dict[Hashable, Maker] = {n: partial(layer, n) for n in range(count)}
    ends = read_channels(END, begin)
    return branch_network(drawn, {**makers, END: nn.Identity}, classes, count * widest, ends)


def scale_filters(filters: int, width: float) -> int:
    return max(1, round(filters * width))


def _draw(rows: Rows, image: Size, width: float) -> Drawing:
    drawing = Drawing(image)
    for n, row in enumerate(rows.layers):
        out = scale_filters(row.filters, width)
        settings = (row.height, row.width, row.stride)
        drawing.add(
            n, row.reads, partial(Size.apply_stride, channels=out, stride=row.stride), row.combine, settings
        )
    drawing.add(END, rows.reads, lambda size: size, rows.combine)
    return drawing


def convolution(channels: int, out: int, height: int, width: int, stride: int) -> nn.Module:
    """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
    padding = (height // 2, width // 2)
    conv = conv2d(channels, out, (height, width), stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
