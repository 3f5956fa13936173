"""The operations of cells by name: the eight of PNAS (Liu et al. 2018, arXiv 1712.00559, Sec. 3.1), the
others of NASNet (Zoph et al. 2018), AmoebaNet (Real et al. 2019), ENAS (Pham et al. 2018) and DARTS (Liu et
al. 2019), and the two that adapt shapes. The order within a convolution is ReLU-Conv-BN. Convolutions do not
have a bias, the normalisation has one. Every operation keeps height and width n at stride 1, and gives
ceil(n / 2) at stride 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from cambrian.networks.pointwise import conv2d

Factory = Callable[[int, int, int], nn.Module]  # (channels in, channels out, stride) -> operation


def conv_bn(channels: int, out: int, kernel: int = 1, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """Convolution without bias and normalisation: (n, channels, h, w) -> (n, out, h', w')."""
    conv = conv2d(channels, out, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


def conv_bn_relu(channels: int, out: int, kernel: int) -> nn.Sequential:
    """(n, channels, h, w) -> (n, out, h, w)."""
    return nn.Sequential(*conv_bn(channels, out, kernel, padding=kernel // 2), nn.ReLU())


def relu_conv_bn(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    """The 1x1 projection."""
    # Not in place: other operations of the cell read the same tensor.
    return nn.Sequential(nn.ReLU(), *conv_bn(channels, out, stride=stride))


def separable(kernel: int, channels: int, out: int, stride: int) -> nn.Sequential:
    """Depthwise-separable convolution, applied twice; only the first may stride."""
    # Twice as in NASNet (Zoph et al. 2018) and, after it, PNAS, AmoebaNet and DARTS (its Sec. 3.1).
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


def asymmetric(kernel: int, channels: int, out: int, stride: int) -> nn.Sequential:
    """A k x k convolution factorized into 1xk and kx1, each with its stride along its own axis."""
    pad = kernel // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, out, (1, kernel), (1, stride), (0, pad), bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, (kernel, 1), (stride, 1), (pad, 0), bias=False),
        nn.BatchNorm2d(out),
    )


def bottleneck(channels: int, out: int, stride: int) -> nn.Sequential:
    """1x7 then 7x1 on a quarter of the channels, as in AmoebaNet's released code."""
    inner = max(out // 4, 1)
    middle = asymmetric(7, inner, inner, stride)
    return nn.Sequential(*relu_conv_bn(channels, inner), *middle, *relu_conv_bn(inner, out))


def convolution(kernel: int, channels: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *conv_bn(channels, out, kernel, stride, kernel // 2))


def atrous(channels: int, out: int, stride: int) -> nn.Sequential:
    """Dilated 3x3 convolution with dilation 2, whose receptive field is 5x5."""
    conv = nn.Conv2d(channels, out, 3, stride, padding=2, dilation=2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(out))


def atrous_separable(kernel: int, channels: int, out: int, stride: int) -> nn.Sequential:
    """Depthwise convolution with dilation 2, then pointwise, applied once."""
    pad = kernel - 1  # half of the receptive field, which is 2 kernel - 1 wide
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, pad, dilation=2, groups=channels, bias=False),
        *conv_bn(channels, out),
    )


def identity(channels: int, out: int, stride: int) -> nn.Module:
    """The identity where shapes agree; else the 1x1 projection, with the stride."""
    return nn.Identity() if (channels, stride) == (out, 1) else relu_conv_bn(channels, out, stride)


def pooling(pool: Callable[[int], nn.Module], channels: int, out: int, stride: int) -> nn.Module:
    """3x3 pooling, then a 1x1 convolution where channels differ."""
    return pool(stride) if channels == out else nn.Sequential(pool(stride), *conv_bn(channels, out))


def average_pool(stride: int) -> nn.Module:
    """3x3 average of the pixels inside the image: the zeros of the padding are not counted."""
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def max_pool(kernel: int, stride: int) -> nn.Module:
    return nn.MaxPool2d(kernel, stride, padding=kernel // 2)


def skip(channels: int, out: int, stride: int) -> nn.Module:
    """The identity, or the 1x1 projection where channels differ; at stride 2 a factorized reduction."""
    return FactorizedReduce(channels, out) if stride == 2 else identity(channels, out, 1)


class Zero(nn.Module):
    """No connection: zeros in the shape of an operation's output."""

    connects = False

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.out, self.stride = out, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Sliced from the input for its type, device and batch; the one channel is expanded without a copy.
        one = x[:, :1, :: self.stride, :: self.stride] * 0
        return one.expand(-1, self.out, -1, -1)


class FactorizedReduce(nn.Module):
    """Halves height and width without discarding the odd pixels: half of the channels read the even rows and
    columns, half the odd ones. (n, channels, h, w) -> (n, out, ceil(h / 2), ceil(w / 2)). A ReLU comes first,
    unless it is without (`rectify`)."""

    def __init__(self, channels: int, out: int, rectify: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU() if rectify else nn.Identity()
        self.even = conv2d(channels, out // 2, 1, 2, bias=False)
        self.odd = conv2d(channels, out - out // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(x)
        y: torch.Tensor = self.norm(torch.cat([self.even(x), self.odd(self.shift(x))], 1))
        return y

    @staticmethod
    def shift(x: torch.Tensor) -> torch.Tensor:
        """The image without its first row and column."""
        # A last odd row outside the image is zeros; where the size is even it is never read.
        return F.pad(x, (-1, x.shape[-1] % 2, -1, x.shape[-2] % 2))


# New operations go to the end: a supernet numbers its candidates in this order, also in files of weights.
OPERATIONS: dict[str, Factory] = {
    "sep3x3": partial(separable, 3),
    "sep5x5": partial(separable, 5),
    "sep7x7": partial(separable, 7),
    "conv1x7-7x1": partial(asymmetric, 7),
    "identity": identity,
    "avg3x3": partial(pooling, average_pool),
    "max3x3": partial(pooling, partial(max_pool, 3)),
    "dil3x3": atrous,
    "max5x5": partial(pooling, partial(max_pool, 5)),
    "max7x7": partial(pooling, partial(max_pool, 7)),
    "conv1x1": partial(convolution, 1),
    "conv3x3": partial(convolution, 3),
    "conv1x3-3x1": partial(asymmetric, 3),
    "bottleneck1x7-7x1": bottleneck,
    "skip": skip,
    "dilsep3x3": partial(atrous_separable, 3),
    "dilsep5x5": partial(atrous_separable, 5),
    "none": Zero,
}
