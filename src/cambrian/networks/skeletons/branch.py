"""Networks whose layers read any earlier outputs: the input of layer i is a function g_i of all of them
(survey, Sec. 2). Where g adds, ResNet is a special case (He et al. 2016); where it concatenates, DenseNet
(Huang et al. 2017).

Outputs of different sizes are adapted in one of three ways: "pad" puts zeros around the smaller images (Zoph
& Le 2017, Sec. 3.3), "pool" halves the larger by 2x2 max pooling (Suganuma et al. 2017, Sec. 3.1),
"nearest" resizes all to the first (Real et al. 2017, Sec. 3.2). A sum fills missing channels with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.sharing.reading import Maker, Reading

T = TypeVar("T")
D = TypeVar("D", bound="Drawing")
Live = Callable[[], str | None]  # looked up in a forward, None where the plan does not have the node

COMBINE = ("sum", "concat")


class Size(NamedTuple):
    """The size of an output for one image: (channels, height, width)."""

    channels: int
    height: int
    width: int

    def apply_stride(self, channels: int, stride: int = 1) -> Size:
        """The size after a padded operation with that stride and as many output channels."""
        return Size(channels, -(-self.height // stride), -(-self.width // stride))

    def halve(self) -> Size:
        """The size after 2x2 pooling with stride 2; an axis of one pixel stays."""
        return Size(self.channels, max(1, self.height // 2), max(1, self.width // 2))


class Node(NamedTuple):
    """One node of a drawing: the numbers of the outputs that it reads and how it combines them; `given`,
    the size of its combined input, and `size`, that of its output; its operation's `settings`."""

    reads: tuple[int, ...]
    combine: str
    given: Size
    size: Size
    settings: tuple[Any, ...] = ()


class Drawing:
    """The graph of a network without its modules: the size of every output is known when the next node is
    added. Output 0 is the image. Nodes have keys, under which a supernet holds their modules."""

    def __init__(self, image: Size, fit: str = "pad") -> None:
        self.fit = fit
        self.sizes = [image]
        self.nodes: dict[Hashable, Node] = {}

    def add(
        self,
        key: Hashable,
        reads: Sequence[int],
        give: Callable[[Size], Size],
        combine: str = "sum",
        settings: tuple[Any, ...] = (),
    ) -> int:
        """Add a node and return the number of its output. `give` maps the joined input's size to its own."""
        given = join_sizes([self.sizes[r] for r in reads], combine, self.fit)
        self.nodes[key] = Node(tuple(reads), combine, given, give(given), settings)
        self.sizes.append(self.nodes[key].size)
        return len(self.nodes)

    def wires(self) -> list[tuple[int, ...]]:
        """The numbers of the outputs that each node reads."""
        return [node.reads for node in self.nodes.values()]


def read_channels(key: Hashable, begin: Callable[[int], int]) -> Callable[[Drawing], list[int]]:
    """A function of drawings: the input channels that the node with that key reads. In a concatenation every
    output has its own channels, from `begin(output)` on; a sum has the first ones."""

    def columns(drawing: Drawing) -> list[int]:
        node = drawing.nodes[key]
        if node.combine != "concat":
            return list(range(node.given.channels))
        return [begin(r) + c for r in node.reads for c in range(drawing.sizes[r].channels)]

    return columns


def node_of(key: Hashable, of: Callable[[Node], T]) -> Callable[[Drawing], T | None]:
    """A function of drawings: `of` their node with that key, or None where they do not have it."""
    return lambda drawing: of(drawing.nodes[key]) if key in drawing.nodes else None


class Branches(nn.Module):
    """Runs the nodes in order, each on the outputs that the drawing lists. The last output is the result."""

    def __init__(self, read: Reading[Any], makers: Mapping[Hashable, Maker]) -> None:
        """`makers` by the nodes' keys, in an order that agrees with that of the nodes in every drawing."""
        super().__init__()
        # Cached: a node with and without a join holds the same module, and so the same weights.
        fitted = {key: partial(_node, read, key, cache(make)) for key, make in makers.items()}
        self.nodes = read.parts(lambda drawing: list(drawing.nodes), fitted)
        self.reads = read.live(Drawing.wires)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for node, reads in zip(self.nodes, self.reads(), strict=True):
            outputs.append(node(*(outputs[r] for r in reads)))
        return outputs[-1]


def _node(read: Reading[D], key: Hashable, make: Maker) -> nn.Module:
    """The node's operation, after a join where the node reads several outputs."""

    def join() -> nn.Module:
        combine = read.live(node_of(key, lambda node: node.combine))
        return Join(combine, read.live(lambda drawing: drawing.fit), make())

    return read.fork(node_of(key, lambda node: len(node.reads) > 1), {False: make, True: join})


def branch_network(
    read: Reading[D],
    makers: Mapping[Hashable, Maker],
    classes: int,
    widest: int,
    columns: Callable[[D], Sequence[int]] | None = None,
) -> nn.Module:
    """Branches, global average pooling, and a linear layer on at most `widest` channels."""
    body = Branches(read, makers)
    return nn.Sequential(
        body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier(read, classes, widest, columns)
    )


def classifier(
    read: Reading[D],
    classes: int,
    widest: int,
    columns: Callable[[D], Sequence[int]] | None = None,
) -> nn.Module:
    """A linear layer on the channels of the last output."""
    return read.elastic(
        lambda drawing: drawing.sizes[-1].channels,
        lambda channels: nn.Linear(channels, classes),
        widest,
        columns,
    )


class Join(nn.Module):
    """The sum or concatenation of several outputs, adapted in size; then the operation."""

    def __init__(self, combine: Live, fit: Live, operation: nn.Module) -> None:
        super().__init__()
        self.combine, self.fit, self.operation = combine, fit, operation

    def forward(self, *inputs: Tensor) -> Tensor:
        """(n, c_i, h_i, w_i) each -> the operation's output for (n, c, h, w), the size by `join_sizes`."""
        sizes = [Size(*x.shape[1:]) for x in inputs]
        combine, fit = str(self.combine()), str(self.fit())
        channels, height, width = join_sizes(sizes, combine, fit)
        fitted = [_fit(x, height, width, fit) for x in inputs]
        # A concatenation keeps each output's channels; a sum first gives all of them the most there are.
        if combine == "concat":
            together = torch.cat(fitted, 1)
        else:
            together = torch.stack([_widen(x, channels) for x in fitted]).sum(0)
        y: Tensor = self.operation(together)
        return y


def join_sizes(sizes: Sequence[Size], combine: str, fit: str) -> Size:
    """The size of the input that `Join` makes of outputs of these sizes."""
    channels = [s.channels for s in sizes]
    heights, widths = [s.height for s in sizes], [s.width for s in sizes]
    image = {
        "pad": (max(heights), max(widths)),
        "pool": (min(heights), min(widths)),
        "nearest": (heights[0], widths[0]),
    }
    return Size(sum(channels) if combine == "concat" else max(channels), *image[fit])


def _fit(x: Tensor, height: int, width: int, fit: str) -> Tensor:
    """`x` with that height and width, see the module's text."""
    rows, columns = x.shape[2:]
    if (rows, columns) == (height, width):
        return x
    if fit == "nearest":
        return F.interpolate(x, size=(height, width), mode="nearest")
    if fit == "pool":
        # Sizes come from halvings of one image, so repeated halving ends at the smaller size exactly.
        while x.shape[2] > height or x.shape[3] > width:
            x = F.max_pool2d(x, (2 if x.shape[2] > height else 1, 2 if x.shape[3] > width else 1))
        return x
    # Centred, as in the paper's padding; an odd rest goes to the bottom and right.
    top, left = (height - rows) // 2, (width - columns) // 2
    return F.pad(x, (left, width - columns - left, top, height - rows - top))


def _widen(x: Tensor, channels: int) -> Tensor:
    """`x` with zeros for the channels that it lacks."""
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1])) if x.shape[1] < channels else x
