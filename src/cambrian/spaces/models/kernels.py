"""The kernels of convolutions that keep the size of images, or divide it by their stride."""

from __future__ import annotations

from typing import Any

from torch import nn

from cambrian.spaces.models.forward import Forward
from cambrian.spaces.models.layers import copy_into, put_module, remake_layer
from cambrian.spaces.models.questions import KERNEL, Question, name_question

SIZES = (1, 3, 5, 7)


def find_kernels(forward: Forward) -> list[Question]:
    """The convolutions of an odd, square kernel of at least 3 with the padding that belongs to it. Those of 1
    mix channels, and stay what they are."""
    questions = []
    for path in forward.list_plain(nn.Conv2d):
        conv = forward.network.get_submodule(path)
        assert isinstance(conv, nn.Conv2d)
        own = conv.kernel_size[0]
        if own > 1 and _keeps_size(conv):
            options = _list_kernels(own, _find_side(forward, path), conv)
            questions.append(Question(KERNEL, name_question(path, KERNEL), options, own, (path,)))
    return [q for q in questions if len(q.options) > 1]


def _keeps_size(conv: nn.Conv2d) -> bool:
    kernel, dilation = conv.kernel_size, conv.dilation
    if kernel[0] != kernel[1] or kernel[0] % 2 == 0 or dilation[0] != dilation[1]:
        return False
    return conv.padding in ("same", _pad(kernel[0], dilation[0]))


def _pad(kernel: int, dilation: int) -> tuple[int, int]:
    return (dilation * (kernel // 2),) * 2


def _find_side(forward: Forward, path: str) -> int:
    """The shorter side of the images that the convolution gets."""
    shapes = [visit.given for visit in forward.visits[path] if visit.given is not None]
    return min((min(shape[-2:]) for shape in shapes), default=1)


def _list_kernels(own: int, side: int, conv: nn.Conv2d) -> tuple[int, ...]:
    # A kernel that reaches over the whole image from each of its pixels sees nothing more when it grows;
    # one that mirrors the border cannot reach further than the image.
    most = 2 * side - 1
    reach = conv.dilation[0]
    return tuple(sorted({own, *(k for k in SIZES if reach * (k - 1) + 1 <= most)}))


def set_kernel(network: nn.Module, path: str, size: int) -> None:
    """Cut the kernel, or put zeros around it: a larger one begins as the same function."""
    conv = network.get_submodule(path)
    assert isinstance(conv, nn.Conv2d)
    changes: dict[str, Any] = {"kernel_size": size}
    if conv.padding != "same":
        changes["padding"] = _pad(size, conv.dilation[0])
    changed = remake_layer(conv, conv.in_channels, conv.out_channels, **changes)
    edge = (size - conv.kernel_size[0]) // 2
    # A negative padding cuts.
    weight = nn.functional.pad(conv.weight.detach(), (edge,) * 4)
    bias = {} if conv.bias is None else {"bias": conv.bias.detach()}
    copy_into(changed, {"weight": weight, **bias}, conv)
    put_module(network, path, changed)
