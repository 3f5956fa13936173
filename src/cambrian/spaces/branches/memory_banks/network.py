"""The network of memory banks (SMASH, Brock et al., ICLR 2018, Sec. 3.1): a layer is a 1x1 convolution of
the banks it reads, then a convolution, and adds its output to the banks it writes to. All banks are halved
by average pooling between stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.operations import conv_bn, relu_conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, check_numbers

OPERATIONS = ("conv3x3", "conv5x5", "dil3x3", "dil5x5")

Row = tuple[str, Sequence[int], Sequence[int]]  # operation, banks read, banks written


class Most(NamedTuple):
    """Layers and banks of the networks that one supernet holds."""

    layers: int
    banks: int


def network(
    read: Reading[Sequence[Row]],
    most: Most,
    halves: Sequence[int],
    channels: int,
    classes: int,
    *,
    filters: int = 16,
) -> nn.Module:
    """The image is halved after each number of layers in `halves`. Takes float[n, channels, h, w], gives
    float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    banks = Banks(read, most, halves, channels, filters)

    def list_written(rows: Sequence[Row]) -> list[int]:
        return sorted({1}.union(*(writes for _, _, writes in rows)))

    classifier = read.elastic(
        lambda rows: filters * len(list_written(rows)),
        lambda width: nn.Linear(width, classes),
        filters * most.banks,
        lambda rows: columns(list_written(rows), filters),
    )
    return nn.Sequential(banks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier)


def columns(banks: Sequence[int], filters: int) -> list[int]:
    """The input channels of these banks: each bank has its own, whichever others are read.

    >>> columns([1, 3], 2)
    [0, 1, 4, 5]
    """
    return [(bank - 1) * filters + channel for bank in banks for channel in range(filters)]


def list_reading(network: nn.Module) -> list[tuple[int, nn.Conv2d]]:
    """The 1x1 convolutions of a supernet by which its layers read, each with its layer from 0."""
    banks = next(module for module in network.modules() if isinstance(module, Banks))
    return [
        (n, candidate.full[0][1])  # behind the ReLU of `operation`
        for n, fork in enumerate(banks.layers)
        for candidate in fork.candidates  # type: ignore[union-attr]
    ]


class Banks(nn.Module):
    """Bank 1 begins as the stem's output, the others as zeros."""

    def __init__(
        self, read: Reading[Sequence[Row]], most: Most, halves: Sequence[int], channels: int, filters: int
    ) -> None:
        super().__init__()
        self.stem = conv_bn(channels, filters, 3, padding=1)
        count = read.count(len, most.layers)

        def layer(n: int, name: str) -> nn.Module:
            return read.elastic(
                lambda rows: filters * len(rows[n][1]) if n < len(rows) else None,
                lambda width: operation(name, width, filters),
                filters * most.banks,
                lambda rows: columns(rows[n][1], filters),
            )

        def fork(n: int) -> nn.Module:
            makers = {name: partial(layer, n, name) for name in OPERATIONS}
            path = f"layer{n + 1}/operation"
            return read.fork(lambda rows: rows[n][0] if n < len(rows) else None, makers, path)

        self.layers = nn.ModuleList(fork(n) for n in range(count))
        self.rows = read.live(lambda rows: rows)
        # With fewer than three layers a third is 0 layers: the image stays as it is.
        self.halved = [n > 0 and n in halves for n in range(count)]

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, filters * banks written to, h', w')."""
        banks = {1: self.stem(x)}
        for n, (_, reads, writes) in enumerate(self.rows()):
            if self.halved[n]:
                # All banks at once, so that any of them may be read and added to.
                banks = {b: _halve(y) for b, y in banks.items()}
            # In the order of the banks, which is that of the input channels of `columns`.
            y = self.layers[n](torch.cat([banks[b] for b in reads], 1))
            banks |= {b: banks[b] + y if b in banks else y for b in writes}
        return torch.cat([banks[b] for b in sorted(banks)], 1)


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, (min(2, x.shape[2]), min(2, x.shape[3])))


def operation(name: str, channels: int, out: int) -> nn.Module:
    """A 1x1 convolution, then "conv3x3" or "dil3x3" (with holes): (n, channels, h, w) -> (n, out, h, w)."""
    kernel, dilation = int(name[-1]), 2 if name.startswith("dil") else 1
    conv = nn.Conv2d(out, out, kernel, 1, dilation * (kernel // 2), dilation, bias=False)
    return nn.Sequential(relu_conv_bn(channels, out), nn.ReLU(), conv, nn.BatchNorm2d(out))
