"""The layout of gradients in memory: kernels that read two tensors of different layouts take several times as
long, or make a copy first."""

from __future__ import annotations

import torch
from torch import Tensor


def lay_out_gradient(x: Tensor) -> Tensor:
    """x itself, whose gradient comes in one piece of memory, in the layout of x: where states are
    concatenated it is a slice, of which every normalisation would make a copy of its own, and behind a sum
    over the pixels it is a single number of each channel."""
    if not isinstance(x, Tensor) or not x.requires_grad:  # a tracer's symbols are no tensors
        return x
    last = x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    x.register_hook(lambda gradient: gradient.contiguous(memory_format=layout))  # type: ignore[no-untyped-call]
    return x


def average_pixels(x: Tensor) -> Tensor:
    """(n, channels, height, width) -> (n, channels): `x.mean((2, 3))`, whose gradient has the layout of x."""
    if not isinstance(x, Tensor) or x.dtype == torch.float16:  # whose sums may be infinite
        return x.mean((2, 3))
    return lay_out_gradient(x).sum((2, 3)) / (x.shape[2] * x.shape[3])
