"""The network of a convolutional neural fabric (Saxena & Verbeek, "Convolutional Neural Fabrics", NIPS 2016,
arXiv 1606.02492, Sec. 3.1): a trellis of layers and scales, each scale of half the resolution of the one
before it. A node is the ReLU of the normalised sum of its inputs, each of which has gone through a 3x3
convolution: one of stride two from the finer scale, one after zeros were put between the pixels of the
coarser one, and a plain one from its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.branches.fabric.trellis import IMAGE, STEPS, Node, Trellis

Wiring = Mapping[Node, tuple[str, ...]]
"""By node the names of the inputs that it reads; nodes that the output does not depend on are absent."""


def network(
    read: Reading[Wiring], trellis: Trellis, dense: bool, channels: int, classes: int, *, filters: int = 64
) -> nn.Module:
    """Takes float[n, channels, h, w], gives float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    return Fabric(read, trellis, dense, channels, classes, filters)


class Fabric(nn.Module):
    """The nodes in an order in which each comes after its inputs, and a linear classifier of the means of the
    last one."""

    def __init__(
        self, read: Reading[Wiring], trellis: Trellis, dense: bool, channels: int, classes: int, filters: int
    ) -> None:
        super().__init__()
        makers = {
            str(node): partial(FabricNode, read, trellis, node, dense, channels, filters)
            for node in trellis.list_nodes()
        }
        self.nodes = read.several(lambda wiring: [str(node) for node in wiring], makers)
        self._last = str(trellis.last)
        self._scales = {str(node): node.scale for node in trellis.list_nodes()}
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters, classes))

    def forward(self, x: Tensor) -> Tensor:
        states = {IMAGE: x}
        height, width = x.shape[2:]
        for name, node in self.nodes.items():
            scale = self._scales[name]
            # A convolution of stride two rounds an odd side up: -(-n >> s) is n / 2^s rounded up.
            states[name] = node(states, (-(-height >> scale), -(-width >> scale)))
        logits: Tensor = self.head(states[self._last])
        return logits


class FabricNode(nn.Module):
    """One scale of one layer, all of its channels."""

    def __init__(
        self,
        read: Reading[Wiring],
        trellis: Trellis,
        node: Node,
        dense: bool,
        channels: int,
        filters: int,
    ) -> None:
        super().__init__()
        sources = trellis.list_inputs(node)
        self._sources = {name: str(source) for name, source in sources.items()}
        makers: dict[str, Maker] = {
            # The image has no neighbouring channels: its convolution reads all of them in both forms.
            name: partial(Edge, channels, filters, 0, 1)
            if source == IMAGE
            else partial(Edge, filters, filters, STEPS[name], 1)
            if dense
            else partial(Sparse, filters, STEPS[name])
            for name, source in sources.items()
        }
        self.edges = read.several(lambda wiring: wiring.get(node, ()), makers, trellis.name_question(node))
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, states: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """The states of earlier nodes, each (n, filters, h, w) -> (n, filters, *size)."""
        total: Tensor | None = None
        for name, edge in self.edges.items():
            output = edge(states[self._sources[name]], size)
            total = output if total is None else total + output
        assert total is not None  # every node reads something
        return F.relu(self.norm(total))


class Edge(nn.Module):
    """A 3x3 convolution from the scale that is `step` finer: 1, 0, or -1 for a coarser one. `groups` of its
    input channels each make as many of the outputs."""

    def __init__(self, channels: int, filters: int, step: int, groups: int) -> None:
        super().__init__()
        # A transposed convolution of stride two is one of an image with zeros between its pixels (Sec. 3.1).
        kind = nn.ConvTranspose2d if step < 0 else nn.Conv2d
        stride = 1 if step == 0 else 2
        self.conv = kind(channels, filters, 3, stride, padding=1, groups=groups, bias=False)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if isinstance(self.conv, nn.ConvTranspose2d):
            grown: Tensor = self.conv(x, output_size=list(size))
            return grown
        output: Tensor = self.conv(x)
        return output


class Sparse(nn.Module):
    """An edge in which a channel reads its own and its two neighbouring channels."""

    def __init__(self, filters: int, step: int) -> None:
        super().__init__()
        self.edge = Edge(3 * filters, filters, step, filters)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        output: Tensor = self.edge(gather_neighbours(x), size)
        return output


def gather_neighbours(x: Tensor) -> Tensor:
    """(n, channels, h, w) -> (n, 3 * channels, h, w): of each channel the one before it, itself, and the one
    after it, with zeros beyond the first and the last.

    >>> gather_neighbours(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)).flatten().tolist()
    [0.0, 1.0, 2.0, 1.0, 2.0, 0.0]
    """
    before = F.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
    after = F.pad(x[:, 1:], (0, 0, 0, 0, 0, 1))
    return torch.stack([before, x, after], 2).flatten(1, 2)
