"""The network of a Cartesian genetic program (Suganuma et al., GECCO 2017, Sec. 3.1 and Table 1).

Where two outputs are joined the larger image is halved by max pooling until both fit; a sum fills missing
channels with zeros. An image of one pixel is not pooled any more. The output's pixels go to one linear layer.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import cache, lru_cache, partial
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.operations import conv_bn, conv_bn_relu
from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.networks.skeletons.branch import Branches, Drawing, Node, Size, node_of
from cambrian.settings import POSITIVE, check_numbers

JOINS = ("sum", "concat")


class Genotype(NamedTuple):
    """`active`: number, function and inputs of the nodes that the output depends on, in order, such as (3,
    "ConvBlock(64,3)", (0,)) for 64 filters of 3x3 on the image. `wiring`: the two inputs of every node, by
    number; `output`: the node that is read last."""

    active: tuple[tuple[int, str, tuple[int, ...]], ...]
    wiring: tuple[tuple[int, int], ...]
    output: int


def network(
    read: Reading[Genotype],
    functions: Sequence[str],
    image: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
) -> nn.Module:
    """Takes float[n, *image], gives float[n, classes]. Shared, the wiring is one, a node may have any of the
    `functions`, and narrow blocks are the first channels of wide ones."""
    check_numbers(POSITIVE, width=width)
    drawn = read.within(lru_cache(maxsize=64)(lambda genotype: _draw(genotype, Size(*image), width)))
    widest = max(_filters(function, width) for function in functions)
    wiring, output = read.value(lambda genotype: (genotype.wiring, genotype.output))
    most = most_channels(wiring, output, image[0], widest)
    nodes: dict[Hashable, Maker] = {
        n: partial(_node, drawn, n, functions, most[wiring[n - 1][0]], widest) for n in sorted(most) if n
    }
    body = Branches(drawn, nodes)
    # The head reads all pixels, so that each size an output may have needs its own.
    heads: dict[tuple[int, int], Maker] = {
        side: partial(_head, drawn, classes, most[output], side) for side in _sides(Size(*image))
    }
    head = drawn.fork(lambda drawing: drawing.sizes[-1][1:], heads)
    return nn.Sequential(body, nn.Flatten(), head)


def most_channels(
    wiring: Sequence[tuple[int, int]], output: int, channels: int, widest: int
) -> dict[int, int]:
    """The most channels of every node on which `output` may depend; 0 is the image.

    >>> most_channels([(0, 0), (1, 0), (0, 0)], 2, 3, 8)
    {0: 3, 1: 8, 2: 11}
    """
    most, reached = {0: channels}, {output}
    # Inputs have smaller numbers, so that one pass down finds all that may be reached.
    for n in range(output, 0, -1):
        reached |= set(wiring[n - 1]) if n in reached else set()
    for n in sorted(reached - {0}):
        # A concatenation adds its inputs up, a block has its own width: either may be the greater.
        most[n] = max(widest, sum(most[i] for i in wiring[n - 1]))
    return most


def _draw(genotype: Genotype, image: Size, width: float) -> Drawing:
    """Settings of a node are its function, and the filters of a block."""
    drawing, place = Drawing(image, "pool"), {0: 0}
    for n, function, inputs in genotype.active:
        filters = _filters(function, width)
        combine = function if function in JOINS else "sum"
        give = partial(_output_size, function, filters)
        place[n] = drawing.add(n, [place[i] for i in inputs], give, combine, (function, filters))
    return drawing


def _output_size(function: str, filters: int, size: Size) -> Size:
    if function in JOINS:
        return size
    if function.endswith("pool"):
        return size.halve()
    return size.apply_stride(max(filters, size.channels) if function.startswith("Res") else filters)


def _filters(function: str, width: float) -> int:
    """The filters of a block, 0 for other functions."""
    block = _block(function)
    return max(1, round(block[1] * width)) if block else 0


def _block(function: str) -> tuple[str, int, int] | None:
    """Kind, filters and kernel.

    >>> _block("ResBlock(64,3)"), _block("sum")
    (('ResBlock', 64, 3), None)
    """
    match = re.fullmatch(r"(\w+)\((\d+),(\d+)\)", function)
    return (match[1], int(match[2]), int(match[3])) if match else None


def _node(read: Reading[Drawing], n: int, functions: Sequence[str], before: int, widest: int) -> nn.Module:
    """Node n of a supernet: blocks that differ in their filters alone are slices of one. `before` is the most
    channels that it may read."""

    @cache
    def block(kind: str, kernel: int) -> nn.Module:
        return read.elastic(
            node_of(n, lambda node: (node.given.channels, node.settings[1]) if node.settings[1] else None),
            lambda size: BLOCKS[kind](*size, kernel),
            (before, widest),
        )

    def make(function: str) -> nn.Module:
        parsed = _block(function)
        if parsed:
            return block(parsed[0], parsed[2])
        pool = nn.MaxPool2d if function == "max-pool" else nn.AvgPool2d
        return nn.Identity() if function in JOINS else read.elastic(node_of(n, _window), pool, (2, 2))

    makers = {function: partial(make, function) for function in functions}
    return read.fork(node_of(n, lambda node: node.settings[0]), makers, f"node{n}/function")


def _window(node: Node) -> tuple[int, int]:
    # A side of one pixel is not pooled any more.
    return min(2, node.given.height), min(2, node.given.width)


def _sides(image: Size) -> list[tuple[int, int]]:
    """Heights and widths that an output may have."""
    sides = [image[1:]]
    while sides[-1] != (1, 1):
        image = image.halve()
        sides.append(image[1:])
    return sides


def _head(read: Reading[Drawing], classes: int, most: int, side: tuple[int, int]) -> nn.Module:
    pixels = side[0] * side[1]
    return read.elastic(
        lambda drawing: drawing.sizes[-1].channels * pixels,
        lambda features: nn.Linear(features, classes),
        most * pixels,
    )


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
            # Pads the channels, the third dimension from the end.
            F.pad(y, (0, 0, 0, 0, 0, missing))
            for y, missing in zip((self.path(x), x), self.missing, strict=True)
        )
        return F.relu(path + identity)


BLOCKS = {"ConvBlock": conv_bn_relu, "ResBlock": ResBlock}
