"""1x1 convolutions that stride, computed in two steps: the pixels that are read, then stride 1.

oneDNN, as torch 2.13 holds it, writes beyond its memory in the backward pass of a 1x1 convolution of fewer
than 16 input channels, one group, no padding, a stride that divides the image, and channels last: the
process dies where the result has about 28 x 28 pixels or more. Its forward pass, other kernels, groups,
bfloat16 and the contiguous layout are sound. So every network here takes its strided convolutions from
`conv2d`, and those of users are mended by `avoid_strided_pointwise` before they are trained.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def convolve(self: nn.Conv2d, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride)), as `Conv2d` does it."""
    rows, columns = self.stride
    return F.conv2d(input[:, :, ::rows, ::columns], weight, bias, groups=self.groups)


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


def is_strided_pointwise(module: nn.Module) -> bool:
    """Whether it is a convolution of torch's own, 1x1, that strides without padding."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.padding in ((0, 0), "valid")
    )


def avoid_strided_pointwise(network: nn.Module) -> None:
    """Let every strided 1x1 `Conv2d` of the network compute in two steps; its weights, hooks and names
    stay."""
    for module in network.modules():
        plain = is_strided_pointwise(module) and not isinstance(module, StridedPointwise)
        if plain and _is_known(module):
            vars(module)["_conv_forward"] = MethodType(convolve, module)


def memory_format(network: nn.Module) -> torch.memory_format:
    """Channels last, the faster one, unless code of the user's own holds a 1x1 filter: with which stride
    it uses that nobody can tell, and contiguous images are sound with any."""
    alien = any(_holds_pointwise(m) for m in network.modules() if not _is_known(m))
    return torch.contiguous_format if alien else torch.channels_last


def _is_known(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and type(module).forward is nn.Conv2d.forward
        and type(module)._conv_forward in (nn.Conv2d._conv_forward, convolve)
    )


def _holds_pointwise(module: nn.Module) -> bool:
    own = module.parameters(recurse=False)
    return any(p.ndim == 4 and p.shape[2:] == (1, 1) and p.shape[1] > 1 for p in own)
