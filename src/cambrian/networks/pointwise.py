"""Strided 1x1 convolutions computed in two steps: select the pixels, then convolve at stride 1.

oneDNN, as bundled with torch 2.13, writes out of bounds in the backward pass of a 1x1 convolution with fewer
than 16 input channels, one group, no padding, a stride that divides the image, and channels last: the
process dies where the result has about 28 x 28 pixels or more. Its forward pass, other kernels, groups,
bfloat16 and the contiguous layout are correct. So every network of this library takes its strided
convolutions from `conv2d`, and `avoid_strided_pointwise` changes those of users before they are trained.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def convolve(self: nn.Conv2d, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride)), the same result as `Conv2d`'s."""
    rows, columns = self.stride
    picked = input[:, :, ::rows, ::columns]
    # Rows that stand further apart than torch knows of channels last would be convolved in the other layout.
    if input.is_contiguous(memory_format=torch.channels_last):
        picked = picked.contiguous(memory_format=torch.channels_last)
    return F.conv2d(picked, weight, bias, groups=self.groups)


class StridedPointwise(nn.Conv2d):
    """A `Conv2d` of kernel 1 without padding, in two steps."""

    _conv_forward = convolve


def conv2d(
    channels: int,
    out: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    **more: Any,
) -> nn.Conv2d:
    """`nn.Conv2d`, in two steps where it is a strided 1x1 convolution."""
    pointwise = kernel in (1, (1, 1)) and stride not in (1, (1, 1)) and padding in (0, (0, 0))
    return (StridedPointwise if pointwise else nn.Conv2d)(channels, out, kernel, stride, padding, **more)


def quicken_pointwise(network: nn.Module) -> None:
    """Let torch's own 1x1 convolutions of stride 1 multiply matrices in training on a CPU: of images with few
    channels, as a supernet's, that takes two thirds of the time, most of which is no arithmetic. Results
    differ by rounding. Weights, hooks and names do not change."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _is_plain_pointwise(module):
            vars(module)["_conv_forward"] = partial(multiply, module)


def _is_plain_pointwise(module: nn.Conv2d) -> bool:
    settings = module.kernel_size, module.stride, module.groups
    return settings == ((1, 1), (1, 1), 1) and module.padding in ((0, 0), "valid")


def multiply(self: nn.Conv2d, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(n, channels, h, w) -> (n, out, h, w), `Conv2d`'s: the channels of each pixel times the weights."""
    quick = self.training and torch.is_grad_enabled() and input.device.type == "cpu" and input.ndim == 4
    if not quick or not input.is_contiguous(memory_format=torch.channels_last):
        return F.conv2d(input, weight, bias)
    pixels = input.permute(0, 2, 3, 1)
    return F.linear(pixels, weight.flatten(1), bias).permute(0, 3, 1, 2)


def is_strided_pointwise(module: nn.Module) -> bool:
    """Whether the module is a `Conv2d` of kernel 1x1 with a stride and without padding."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.padding in ((0, 0), "valid")
    )


def avoid_strided_pointwise(network: nn.Module) -> None:
    """Let every strided 1x1 `Conv2d` of the network compute in two steps. Its weights, hooks and names do not
    change."""
    for module in network.modules():
        plain = is_strided_pointwise(module) and not isinstance(module, StridedPointwise)
        if isinstance(module, nn.Conv2d) and plain and _is_known(module):
            # On the instance: to replace the module would drop its hooks and the user's references to it.
            vars(module)["_conv_forward"] = partial(convolve, module)


def memory_format(network: nn.Module) -> torch.memory_format:
    """The layout of images for this network: channels last, the faster one, unless a user's own module holds
    a 1x1 filter."""
    # Such a module may call F.conv2d with any stride, which cannot be seen from outside; contiguous images
    # are correct with every stride.
    alien = any(_holds_pointwise(m) for m in network.modules() if not _is_known(m))
    return torch.contiguous_format if alien else torch.channels_last


def _is_known(module: nn.Module) -> bool:
    """Whether the module computes as torch's own `Conv2d`, so that its settings tell its stride."""
    return (
        isinstance(module, nn.Conv2d)
        and type(module).forward is nn.Conv2d.forward
        and type(module)._conv_forward in (nn.Conv2d._conv_forward, convolve)
    )


def _holds_pointwise(module: nn.Module) -> bool:
    # One input channel is left out: those are depthwise filters, in groups, where oneDNN is correct.
    own = module.parameters(recurse=False)
    return any(p.ndim == 4 and p.shape[2:] == (1, 1) and p.shape[1] > 1 for p in own)
