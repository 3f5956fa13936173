"""The network of memory banks (SMASH, Brock et al., ICLR 2018, Sec. 3.1): a layer is a 1x1 convolution of
the banks it reads, then a convolution, and adds its output to the banks it writes to. All banks are halved
by average pooling between stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.operations import Make, conv_bn, relu_conv_bn
from cambrian.settings import COUNT, check_numbers

Row = tuple[str, Sequence[int], Sequence[int]]  # operation, banks read, banks written


def network(
    rows: Sequence[Row],
    halves: Sequence[int],
    channels: int,
    classes: int,
    *,
    filters: int = 16,
    make: Make | None = None,
) -> nn.Module:
    """After so many layers as `halves` says the image is halved. Takes float[n, channels, h, w], gives
    float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    banks = Banks(rows, halves, channels, filters, make or operation)
    features = filters * len({1}.union(*(writes for _, _, writes in rows)))
    return nn.Sequential(banks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))


class Banks(nn.Module):
    """Bank 1 begins as the stem's output, the others as zeros."""

    def __init__(
        self, rows: Sequence[Row], halves: Sequence[int], channels: int, filters: int, make: Make
    ) -> None:
        super().__init__()
        self.stem = conv_bn(channels, filters, 3, padding=1)
        self.layers = nn.ModuleList(
            make(f"layer{n}", name, filters * len(reads), filters, 1)
            for n, (name, reads, _) in enumerate(rows, 1)
        )
        self.reads = [list(reads) for _, reads, _ in rows]
        self.writes = [list(writes) for _, _, writes in rows]
        self.halved = [n > 0 and n in halves for n in range(len(rows))]

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, filters * banks written to, h', w')."""
        banks = {1: self.stem(x)}
        for layer, reads, writes, halved in zip(
            self.layers, self.reads, self.writes, self.halved, strict=True
        ):
            if halved:
                banks = {b: _halve(y) for b, y in banks.items()}
            y = layer(torch.cat([banks[b] for b in reads], 1))
            banks |= {b: banks[b] + y if b in banks else y for b in writes}
        return torch.cat([banks[b] for b in sorted(banks)], 1)


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, (min(2, x.shape[2]), min(2, x.shape[3])))


def operation(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """A 1x1 convolution, then "conv3x3" or "dil3x3" (with holes): (n, channels, h, w) -> (n, out, h, w)."""
    kernel, dilation = int(name[-1]), 2 if name.startswith("dil") else 1
    conv = nn.Conv2d(out, out, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
    return nn.Sequential(relu_conv_bn(channels, out), nn.ReLU(), conv, nn.BatchNorm2d(out))
