"""The eight operations of a PNAS cell (Liu et al. 2018, arXiv 1712.00559, Sec. 3.1) and the two that fit
shapes together. Convolutions go ReLU-Conv-BN and have no bias, the normalisation has one; every
operation keeps height and width at stride 1 and gives ceil(n / 2) of them at stride 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

Factory = Callable[[int, int, int], nn.Module]  # (channels in, channels out, stride) -> operation


def conv_bn(channels: int, out: int, kernel: int = 1, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """Convolution without bias and normalisation: (n, channels, h, w) -> (n, out, h', w')."""
    conv = nn.Conv2d(channels, out, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


def relu_conv_bn(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    """The 1x1 projection: what is given stays as it was, others read it too."""
    return nn.Sequential(nn.ReLU(), *conv_bn(channels, out, stride=stride))


def separable(kernel: int, channels: int, out: int, stride: int) -> nn.Sequential:
    """Depthwise-separable convolution, applied twice; only the first may stride."""
    pad = kernel // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, pad, groups=channels, bias=False),
        nn.Conv2d(channels, out, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, kernel, 1, pad, groups=out, bias=False),
        nn.Conv2d(out, out, 1, bias=False),
        nn.BatchNorm2d(out),
    )


def factorized_7x7(channels: int, out: int, stride: int) -> nn.Sequential:
    """1x7 then 7x1, each striding along its own axis."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, out, (1, 7), (1, stride), (0, 3), bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, (7, 1), (stride, 1), (3, 0), bias=False),
        nn.BatchNorm2d(out),
    )


def dilated(channels: int, out: int, stride: int) -> nn.Sequential:
    """3x3 with a hole between the taps: it sees 5x5."""
    conv = nn.Conv2d(channels, out, 3, stride, padding=2, dilation=2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(out))


def identity(channels: int, out: int, stride: int) -> nn.Module:
    """Nothing, where nothing will do; else the projection, which carries the stride."""
    return nn.Identity() if (channels, stride) == (out, 1) else relu_conv_bn(channels, out, stride)


def pooling(pool: Callable[[int], nn.Module], channels: int, out: int, stride: int) -> nn.Module:
    """3x3 pooling, then a 1x1 convolution where channels differ."""
    return pool(stride) if channels == out else nn.Sequential(pool(stride), *conv_bn(channels, out))


def average_pool(stride: int) -> nn.Module:
    """3x3 average of what lies inside the image: the border's zeros are not counted."""
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def max_pool(stride: int) -> nn.Module:
    return nn.MaxPool2d(3, stride, padding=1)


class FactorizedReduce(nn.Module):
    """Halves height and width without losing pixels' parity: half of the channels read the even rows
    and columns, half the odd ones. (n, channels, h, w) -> (n, out, ceil(h / 2), ceil(w / 2))."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(channels, out // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(channels, out - out // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(x)
        # A last odd row outside the image is zeros; where the size is even it is never read.
        shifted = F.pad(x, (-1, x.shape[-1] % 2, -1, x.shape[-2] % 2))
        y: torch.Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return y


OPERATIONS: dict[str, Factory] = {
    "sep3x3": partial(separable, 3),
    "sep5x5": partial(separable, 5),
    "sep7x7": partial(separable, 7),
    "conv1x7-7x1": factorized_7x7,
    "identity": identity,
    "avg3x3": partial(pooling, average_pool),
    "max3x3": partial(pooling, max_pool),
    "dil3x3": dilated,
}
