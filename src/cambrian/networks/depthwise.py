"""Gradients of depthwise convolutions by fast kernels.

oneDNN, as bundled with torch 2.13, computes the backward pass of dilated depthwise convolutions, and the
gradients of filters wider than 3, by plain loops, which take up to forty times as long as the forward pass.
Here each becomes convolutions that have vector kernels. With dilation d and the usual padding, pixels of a
row that are d apart form images of their own, on which the convolution is dense; and the gradient of a wide
filter is put together from those of its columns, three at a time. The forward pass is torch's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

WIDE = 3
"""Columns of the widest filter whose gradient has a fast kernel."""


def quicken_depthwise(network: nn.Module) -> None:
    """Let the depthwise convolutions of the network whose gradients are slow compute them so, in training on
    a CPU. Their weights, hooks and names do not change."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _gains(module):
            # On the instance: to replace the module would drop its hooks and the user's references to it.
            vars(module)["_conv_forward"] = partial(convolve, module)


def _gains(module: nn.Module) -> bool:
    """Whether it is torch's own depthwise `Conv2d` with a square, odd filter that keeps the image's size, up
    to a stride, and is dilated by that stride or wide."""
    if type(module) is not nn.Conv2d or not 1 < module.groups == module.in_channels == module.out_channels:
        return False
    (kernel, width), (stride, across), (d, along) = module.kernel_size, module.stride, module.dilation
    usual = (
        module.padding == (d * (kernel // 2),) * 2
        and (kernel, stride, d) == (width, across, along)
        and module.padding_mode == "zeros"
        and kernel % 2 == 1
    )
    return usual and stride in (1, d) and (d > 1 or kernel > WIDE)


def convolve(self: nn.Conv2d, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(n, channels, h, w) -> (n, channels, ceil(h / stride), ceil(w / stride)): `Conv2d`'s, bit for bit."""
    quick = self.training and torch.is_grad_enabled() and input.device.type == "cpu" and input.ndim == 4
    # Under autocast the gradient has another type than what was saved; torch.func and forward derivatives
    # need rules that torch's own function has.
    other = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    if not quick or other or torch.is_autocast_enabled("cpu"):
        return F.conv2d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
    y: Tensor = _Depthwise.apply(input, weight, bias, self.stride[0], self.dilation[0])  # type: ignore[no-untyped-call]
    return y


Find = Callable[[Tensor, Tensor, Tensor], Tensor]
Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, None, None]


class _Depthwise(torch.autograd.Function):
    """The convolution of x (n, c, h, w) with w (c, 1, k, k), padded by d (k // 2); the stride is 1 or d."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, dilation: int
    ) -> Tensor:
        # What no gradient needs is not kept: where weights are held fixed, nothing but them is.
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        ctx.shape, ctx.stride, ctx.dilation = x.shape, stride, dilation
        padding = dilation * (weight.shape[-1] // 2)
        return F.conv2d(x, weight, bias, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        # Of torch's differentiable functions alone, so that there are second derivatives.
        x, weight = ctx.saved_tensors
        for_image, for_filter, for_bias, *_ = ctx.needs_input_grad
        # In the types of the forward pass, which was not under autocast, wherever it is called.
        with torch.autocast("cpu", enabled=False):
            return (
                find_image(g, weight, ctx.shape, ctx.stride, ctx.dilation) if for_image else None,
                find_filter(g, x, weight, ctx.stride, ctx.dilation) if for_filter else None,
                g.sum((0, 2, 3)) if for_bias else None,
                None,
                None,
            )


def find_image(g: Tensor, weight: Tensor, shape: Sequence[int], stride: int, dilation: int) -> Tensor:
    """The gradient of an image of that shape, (n, c, h, w), given that of the output."""
    if stride == 1:
        return _correlate(g, weight, dilation)
    # Only the pixels whose row and column are multiples of d are read.
    few = _correlate(g, weight, 1)
    last = few.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    image = torch.empty(shape, dtype=g.dtype, memory_format=layout).zero_()
    image[:, :, ::stride, ::stride] = few
    return image


def _correlate(g: Tensor, weight: Tensor, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(g, weight.flip(2, 3), None, 1, padding, dilation, len(weight))


def find_filter(g: Tensor, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """The gradient of the filters (c, 1, k, k), given that of the output."""
    if stride > 1:
        x = x[:, :, ::stride, ::stride]
    elif dilation > 1:
        g, x = _fold(g, dilation), _fold(x, dilation)
    wide = weight.shape[-1] > WIDE
    return _find_parts(g, x, weight, 3, _find_columns) if wide else _find_columns(g, x, weight)


def _find_parts(g: Tensor, x: Tensor, weight: Tensor, dim: int, find: Find) -> Tensor:
    """The gradient of filters wider than 3 along `dim` (2: rows, 3: columns), put together from those that
    `find` gives of three neighbours."""
    k, parts, before = weight.shape[dim], list[Tensor](), (0, 0) * (3 - dim)
    for shift in range(-(k // 2 - 1), k // 2, 2):
        # Three columns that are so much further to the right meet the image so much further to the right.
        left, right = max(-shift, 0), max(shift, 0)
        moved, met = F.pad(g, (*before, right, left)), F.pad(x, (*before, left, right))
        part = find(moved, met, weight.narrow(dim, 0, WIDE))
        parts.append(part.narrow(dim, 1, WIDE - 1) if parts else part)  # neighbours have a column in common
    return torch.cat(parts, dim)


def _find_columns(g: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The gradient of filters of up to 3 columns."""
    k = weight.shape[2]
    # Of images that are lower than this oneDNN has no vector kernel.
    low = k > WIDE and g.shape[2] < k + k // 2
    return _find_parts(g, x, weight, 2, _find_block) if low else _find_block(g, x, weight)


def _find_block(g: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The gradient of filters (c, 1, k, up to 3) by torch's kernel; of the weights only the shape counts."""
    padding = [size // 2 for size in weight.shape[2:]]
    c, mask = len(weight), [False, True, False]
    found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        g, x, weight, None, [1, 1], padding, [1, 1], False, [0, 0], c, mask
    )
    return found[1]


def _fold(x: Tensor, d: int) -> Tensor:
    """(n, c, h, w) -> (d d n, c, ceil(h / d), ceil(w / d)): the images of pixels that are d apart. Zeros fill
    up sizes that d does not divide."""
    whole = F.pad(x, (0, -x.shape[-1] % d, 0, -x.shape[-2] % d))
    return torch.cat([whole[:, :, i::d, j::d] for i in range(d) for j in range(d)])
