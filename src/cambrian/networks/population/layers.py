"""Layers that run once for several networks, whose tensors lie side by side along the channels.

Each layer is a value without weights: calls with equal layers and equal shapes make one group. Where n
networks have inputs [b, channels, h, w], the group has [b, n * channels, h, w], and the weights of its
members follow one another along their first dimension. A convolution of n members is a grouped one
(Krizhevsky et al. 2012 had two groups), a linear layer is a batch of matrix products, and all else works
channel by channel anyway.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from cambrian.networks.pointwise import is_strided_pointwise

Run = Callable[..., Tensor]
USUAL: dict[Any, tuple[dict[str, Any], ...]] = {
    F.relu: ({}, {"inplace": False}, {"inplace": True}),
    F.pad: ({}, {"mode": "constant", "value": None}),
}
"""Keywords of functions that do not change what they compute."""


class Layer(Protocol):
    """`weights` and `buffers` are names of the module's tensors, of which `run` gets those of all members."""

    weights: ClassVar[tuple[str, ...]]
    buffers: ClassVar[tuple[str, ...]]

    def run(self, operands: list[Tensor], tensors: list[Tensor | None], training: bool) -> Tensor:
        """The results [b, n * channels, ...] of the n members."""
        ...


@dataclass(frozen=True)
class Convolution:
    """`every` selects the pixels of a strided 1x1 convolution, see `cambrian.networks.pointwise`."""

    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    every: tuple[int, ...]
    weights: ClassVar[tuple[str, ...]] = ("weight", "bias")
    buffers: ClassVar[tuple[str, ...]] = ()

    def run(self, operands: list[Tensor], tensors: list[Tensor | None], training: bool) -> Tensor:
        x, (weight, bias) = operands[0], tensors
        assert weight is not None
        rows, columns = self.every
        if self.every != (1, 1):
            x = x[:, :, ::rows, ::columns]
        # Members that read the same tensor get it once, so that the number of groups follows from the shapes.
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, groups)


@dataclass(frozen=True)
class Normalisation:
    """Batch normalisation, whose statistics are of each channel, and so of each member alone."""

    momentum: float
    epsilon: float
    weights: ClassVar[tuple[str, ...]] = ("weight", "bias")
    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var", "num_batches_tracked")

    def run(self, operands: list[Tensor], tensors: list[Tensor | None], training: bool) -> Tensor:
        weight, bias, mean, variance, count = tensors
        if training and count is not None:
            count += 1
        return F.batch_norm(operands[0], mean, variance, weight, bias, training, self.momentum, self.epsilon)


@dataclass(frozen=True)
class Linear:
    weights: ClassVar[tuple[str, ...]] = ("weight", "bias")
    buffers: ClassVar[tuple[str, ...]] = ()

    def run(self, operands: list[Tensor], tensors: list[Tensor | None], training: bool) -> Tensor:
        x, (weight, bias) = operands[0], tensors
        assert weight is not None
        features = weight.shape[1]
        members = x.shape[1] // features
        # [n, b, features] @ [n, features, out] -> [n, b, out]
        products = x.view(len(x), members, features).transpose(0, 1) @ weight.view(
            members, -1, features
        ).transpose(1, 2)
        results = products.transpose(0, 1).flatten(1)
        return results if bias is None else results + bias


@dataclass(frozen=True)
class Channelwise:
    """A function without weights that treats every channel alike: `function(x, *settings)`."""

    function: Run
    settings: tuple[Any, ...] = ()
    weights: ClassVar[tuple[str, ...]] = ()
    buffers: ClassVar[tuple[str, ...]] = ()

    def run(self, operands: list[Tensor], tensors: list[Tensor | None], training: bool) -> Tensor:
        return self.function(*operands, *self.settings)


def find_layer(module: nn.Module | None, node: fx.Node, settings: tuple[Any, ...]) -> Layer | None:
    """The layer of a call, or None where there is none: such a call runs for each network alone. `settings`
    are the arguments after the first, with their values."""
    if module is not None:
        return _of_module(module)
    if dict(node.kwargs) not in USUAL.get(node.target, ({},)):
        return None
    if node.target in (operator.add, torch.add) and len(node.all_input_nodes) == 2:
        return Channelwise(torch.add)
    if node.target in (F.relu, torch.relu, "relu"):
        return Channelwise(torch.relu)
    if node.target == "mean" and settings in (((2, 3),), ((-2, -1),)):
        return Channelwise(torch.mean, ((2, 3),))
    # Four numbers pad the rows and columns, and leave the channels alone.
    if node.target is F.pad and len(settings) == 1 and len(settings[0]) == 4:
        return Channelwise(F.pad, settings)
    return None


def passes_through(module: nn.Module | None) -> bool:
    """Whether the module returns its input."""
    return isinstance(module, nn.Identity) or (isinstance(module, nn.Dropout) and module.p == 0)


def _of_module(module: nn.Module) -> Layer | None:
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
        return _convolution(module)
    if type(module) is nn.BatchNorm2d and module.affine and module.track_running_stats:
        return None if module.momentum is None else Normalisation(module.momentum, module.eps)
    if type(module) is nn.Linear:
        return Linear()
    if type(module) is nn.ReLU:
        return Channelwise(torch.relu)
    if type(module) is nn.MaxPool2d and not module.return_indices:
        settings = module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode
        return Channelwise(F.max_pool2d, settings)
    if type(module) is nn.AvgPool2d:
        window = module.kernel_size, module.stride, module.padding, module.ceil_mode
        return Channelwise(F.avg_pool2d, (*window, module.count_include_pad, module.divisor_override))
    return None


def _convolution(module: nn.Conv2d) -> Convolution:
    if is_strided_pointwise(module):
        return Convolution((1, 1), (0, 0), (1, 1), module.stride)
    return Convolution(module.stride, module.padding, module.dilation, (1, 1))
