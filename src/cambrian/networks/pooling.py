"""Average pooling in evaluation by a convolution.

torch's kernel adds pixel by pixel where channels are last and their number is no multiple of a vector's
length: for four channels it takes three times as long as a 3x3 convolution. A depthwise convolution with ones
gives the same sums, up to the order of their terms.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VECTOR = 16
"""Numbers of 32 bits in a vector: multiples of it are fast in torch's kernel too."""


def pool_average(pool: nn.AvgPool2d, x: Tensor) -> Tensor:
    """The output of `pool` for images (n, channels, h, w), by a convolution where that is faster."""
    if not _gains(pool, x):
        return F.avg_pool2d(
            x,
            pool.kernel_size,
            pool.stride,
            pool.padding,
            pool.ceil_mode,
            pool.count_include_pad,
            pool.divisor_override,
        )
    channels, (height, width) = x.shape[1], x.shape[2:]
    sums = F.conv2d(x, _make_ones(channels), padding=1, groups=channels)
    return sums.mul_(_share(height, width))


def _gains(pool: nn.AvgPool2d, x: Tensor) -> bool:
    """Whether it is the 3x3 pooling of cells, on few channels. With a stride torch's kernel does less."""
    settings = (pool.kernel_size, pool.stride, pool.padding, pool.count_include_pad, pool.divisor_override)
    ours = settings == (3, 1, 1, False, None) and x.device.type == "cpu" and x.dtype == torch.float32
    return ours and x.shape[1] % VECTOR > 0 and x.is_contiguous(memory_format=torch.channels_last)


@cache
def _make_ones(channels: int) -> Tensor:
    return torch.ones(channels, 1, 3, 3).contiguous(memory_format=torch.channels_last)


@cache
def _share(height: int, width: int) -> Tensor:
    """(1, 1, height, width): one over the pixels of the image that a place averages."""
    return 1 / F.conv2d(torch.ones(1, 1, height, width), torch.ones(1, 1, 3, 3), padding=1)
