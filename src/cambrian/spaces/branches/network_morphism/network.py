"""The network of the space of network morphisms (Elsken et al. 2017, arXiv 1711.04528, Sec. 4): layers of
convolution, batch normalisation and ReLU, some followed by a 2x2 max pooling; larger images that a skip
brings are pooled until they fit.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache, lru_cache, partial
from typing import NamedTuple

from torch import nn

from cambrian.networks.operations import conv_bn_relu
from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.networks.skeletons.branch import Drawing, Size, branch_network, node_of, read_channels
from cambrian.settings import COUNT, check_numbers


class Row(NamedTuple):
    """A layer: its kernel, how many times the filters it has, whether a pooling follows, and which layers
    (from 1) it reads, combined how, besides the one before it."""

    kernel: int
    width: int
    pool: bool
    skips: tuple[int, ...]
    combine: str


Rows = tuple[Row, ...]


class Most(NamedTuple):
    """Limits of the networks that one supernet holds: layers, kernels, and the multiple of the filters."""

    layers: int
    kernels: tuple[int, ...]
    width: int


def network(
    read: Reading[Rows], most: Most, image: tuple[int, int, int], classes: int, *, filters: int = 16
) -> nn.Module:
    """Takes float[n, *image], gives float[n, classes]. Shared, a layer has weights for each kernel and for
    each output that it may read; those of the layer before it are the first ones."""
    check_numbers(COUNT, filters=filters)
    drawn = read.within(lru_cache(maxsize=64)(lambda rows: _draw(rows, Size(*image), filters)))
    count = read.count(len, most.layers)
    widest = most.width * filters

    def convolve(n: int, kernel: int) -> nn.Module:
        # The layer before comes first among the input channels, every skip after it has a place of its own.
        before = widest if n else image[0]
        return drawn.elastic(
            node_of(n, lambda node: (node.given.channels, node.size.channels)),
            lambda size: conv_bn_relu(*size, kernel),
            (before + max(0, n - 1) * widest, widest),
            read_channels(n, lambda output: 0 if output == n else before + (output - 1) * widest),
        )

    def layer(n: int) -> nn.Module:
        makers = {kernel: partial(convolve, n, kernel) for kernel in most.kernels}
        of_kernel = node_of(n, lambda node: node.settings[0])
        # One convolution with and without the pooling after it.
        conv = cache(lambda: drawn.fork(of_kernel, makers, f"layer{n + 1}/kernel"))

        def convolve_and_pool() -> nn.Module:
            windows = node_of(n, lambda node: (min(2, node.given.height), min(2, node.given.width)))
            return nn.Sequential(conv(), drawn.elastic(windows, nn.MaxPool2d, (2, 2)))

        return drawn.fork(node_of(n, lambda node: node.settings[1]), {False: conv, True: convolve_and_pool})

    nodes: dict[Hashable, Maker] = {n: partial(layer, n) for n in range(count)}
    return branch_network(drawn, nodes, classes, widest)


def _draw(rows: Rows, image: Size, filters: int) -> Drawing:
    """Settings of a node are its kernel, and whether a pooling follows."""
    drawing = Drawing(image, "pool")
    for n, row in enumerate(rows):
        out = row.width * filters
        give = partial(_pool_size if row.pool else Size.apply_stride, channels=out)
        drawing.add(n, [n, *row.skips], give, row.combine, (row.kernel, row.pool))
    return drawing


def _pool_size(size: Size, channels: int) -> Size:
    return size.apply_stride(channels).halve()
