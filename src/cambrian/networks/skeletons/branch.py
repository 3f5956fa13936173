"""Networks whose layers read any earlier outputs: the input of layer i is a function g_i of all of them
(survey, Sec. 2). Where g adds, ResNet is a special case (He et al. 2016); where it concatenates, DenseNet
(Huang et al. 2017).

What differs in size is made to fit in one of three ways: "pad" puts zeros around the smaller images (Zoph
& Le 2017, Sec. 3.3), "pool" halves the larger by 2x2 max pooling (Suganuma et al. 2017, Sec. 3.1),
"nearest" resizes all to the first (Real et al. 2017, Sec. 3.2). Channels that a sum lacks are zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COMBINE = ("sum", "concat")


class Size(NamedTuple):
    """Of an output of one image: (channels, height, width)."""

    channels: int
    height: int
    width: int

    def strided(self, channels: int, stride: int = 1) -> Size:
        """After a padded operation with that stride."""
        return Size(channels, -(-self.height // stride), -(-self.width // stride))

    def halve(self) -> Size:
        """After 2x2 pooling with stride 2; an axis of one pixel is left alone."""
        return Size(self.channels, max(1, self.height // 2), max(1, self.width // 2))


Make = Callable[[Size], tuple[nn.Module, Size]]


class Branches(nn.Module):
    """Node i takes the outputs `reads[i]`: 0 is the image, n the n-th node. The last one's is the result."""

    def __init__(self, nodes: Sequence[nn.Module], reads: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(nodes)
        self.reads = [list(r) for r in reads]

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for node, reads in zip(self.nodes, self.reads, strict=True):
            outputs.append(node(*(outputs[r] for r in reads)))
        return outputs[-1]


class Plan:
    """A network in the making: every output's size is known when the next node is added."""

    def __init__(self, image: Size) -> None:
        self.sizes = [image]
        self._nodes: list[nn.Module] = []
        self._reads: list[Sequence[int]] = []

    def add(self, reads: Sequence[int], make: Make, combine: str = "sum", fit: str = "pad") -> int:
        """The number of the new node: what `make` gives for the size that its joined inputs have."""
        read = [self.sizes[r] for r in reads]
        operation, size = make(joined_size(read, combine, fit))
        self._nodes.append(operation if len(reads) == 1 else Join(combine, fit, operation))
        self._reads.append(reads)
        self.sizes.append(size)
        return len(self._nodes)

    def network(self, classes: int, flatten: bool = False) -> nn.Module:
        """With the head on the last output: a linear layer on its pixels or on their average."""
        channels, height, width = self.sizes[-1]
        pool = [] if flatten else [nn.AdaptiveAvgPool2d(1)]
        features = channels * height * width if flatten else channels
        body = Branches(self._nodes, self._reads)
        return nn.Sequential(body, *pool, nn.Flatten(), nn.Linear(features, classes))


class Join(nn.Module):
    """Several outputs as one input: their sum or concatenation, made to fit; then the operation."""

    def __init__(self, combine: str, fit: str, operation: nn.Module) -> None:
        super().__init__()
        self.combine, self.fit, self.operation = combine, fit, operation

    def forward(self, *inputs: Tensor) -> Tensor:
        """(n, c_i, h_i, w_i) each -> what the operation gives for (n, c, h, w), see `joined_size`."""
        sizes = [Size(*x.shape[1:]) for x in inputs]
        channels, height, width = joined_size(sizes, self.combine, self.fit)
        fitted = [_fit(x, height, width, self.fit) for x in inputs]
        if self.combine == "concat":
            together = torch.cat(fitted, 1)
        else:
            together = torch.stack([_widen(x, channels) for x in fitted]).sum(0)
        y: Tensor = self.operation(together)
        return y


def joined_size(sizes: Sequence[Size], combine: str, fit: str) -> Size:
    """The size of what `Join` gives its operation."""
    channels = [s.channels for s in sizes]
    heights, widths = [s.height for s in sizes], [s.width for s in sizes]
    image = {
        "pad": (max(heights), max(widths)),
        "pool": (min(heights), min(widths)),
        "nearest": (heights[0], widths[0]),
    }
    return Size(sum(channels) if combine == "concat" else max(channels), *image[fit])


def _fit(x: Tensor, height: int, width: int, fit: str) -> Tensor:
    rows, columns = x.shape[2:]
    if (rows, columns) == (height, width):
        return x
    if fit == "nearest":
        return F.interpolate(x, size=(height, width), mode="nearest")
    if fit == "pool":
        while x.shape[2] > height or x.shape[3] > width:
            x = F.max_pool2d(x, (2 if x.shape[2] > height else 1, 2 if x.shape[3] > width else 1))
        return x
    top, left = (height - rows) // 2, (width - columns) // 2
    return F.pad(x, (left, width - columns - left, top, height - rows - top))


def _widen(x: Tensor, channels: int) -> Tensor:
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1])) if x.shape[1] < channels else x
