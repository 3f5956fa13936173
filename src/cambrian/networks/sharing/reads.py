"""What several candidates make of one input, computed once; and outputs that are weighted at no cost.

Mixed, every edge from a state has the same operations on it. Those without weights, pooling and the rectifier
before a convolution, give every edge the same. And a weight times a normalised output is the output of a
normalisation whose own scale and shift are multiplied: two numbers a channel in place of a whole image, also
for the gradient of the weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from cambrian.networks.operations import FactorizedReduce


class Reads:
    """The inputs of candidates while a mixture runs, with what has been made of them."""

    def __init__(self) -> None:
        # The inputs beside their identities: another tensor may not take one's place in memory.
        self._made: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}

    def take_first(self, x: Tensor, channels: int) -> Tensor:
        """The first channels of x (n, c, h, w), the same tensor at each call."""
        return self._find(("first", channels), x, lambda: x[:, :channels])

    def run(self, module: Any, *inputs: Any) -> Tensor:
        """The output of a module."""
        layers = _list_layers(module)
        if layers and len(inputs) == 1:
            return self._run_layers(layers, inputs[0])
        output: Tensor = module(*inputs)
        return output

    def run_weighted(self, module: Any, weight: Tensor | float, *inputs: Any) -> Tensor | None:
        """`weight` times the output of a module that ends in a normalisation; None for another one."""
        norm = find_last_norm(module)
        if norm is None or len(inputs) != 1:
            return None
        if isinstance(module, FactorizedReduce):
            x = self._reduce(module, inputs[0])
        else:
            x = self._run_layers(list(module)[:-1], inputs[0])
        y: Tensor = functional_call(norm, {"weight": weight * norm.weight, "bias": weight * norm.bias}, (x,))
        return y

    def _run_layers(self, layers: Sequence[nn.Module], x: Tensor) -> Tensor:
        settings = _describe(layers)
        first, rest = layers[0], layers[1:]
        x = first(x) if settings is None else self._find(settings, x, lambda: first(x))
        for layer in rest:
            x = layer(x)
        return x

    def _reduce(self, module: FactorizedReduce, x: Tensor) -> Tensor:
        """What `module` normalises, of the even pixels and the odd ones, which all read alike."""
        x = self._find((nn.ReLU,), x, lambda: module.relu(x))
        # Means of one pixel: other than a slice's, their gradient has the layout of the image.
        even = self._find(("even",), x, lambda: F.avg_pool2d(x, 1, 2))
        odd = self._find(("odd",), x, lambda: F.avg_pool2d(module.shift(x), 1, 2))
        return torch.cat([F.conv2d(even, module.even.weight), F.conv2d(odd, module.odd.weight)], 1)

    def _find(self, settings: tuple[Any, ...], x: Tensor, make: Callable[[], Tensor]) -> Tensor:
        key = (*settings, id(x))
        if key not in self._made:
            self._made[key] = (x, make())
        return self._made[key][1]


def find_last_norm(module: Any) -> nn.BatchNorm2d | None:
    """The normalisation that an operation ends with, where its scale can take a weight."""
    norm: Any = None
    if type(module) is FactorizedReduce:
        norm = None if any(map(_is_watched, module.modules())) else module.norm
    elif type(module) is nn.Sequential and len(module) > 1 and not _is_watched(module):
        norm = module[-1]
    return norm if type(norm) is nn.BatchNorm2d and norm.affine else None


def _list_layers(module: Any) -> Sequence[nn.Module]:
    """The layers of torch's own plain sequence; a single layer is one of itself."""
    if type(module) is nn.Sequential and not _is_watched(module):
        return list(module)
    plain = isinstance(module, nn.Module) and not _is_watched(module)
    return [module] if plain and _describe([module]) is not None else []


def _is_watched(module: nn.Module) -> bool:
    """Whether somebody has to know of each call of the module as a whole, or has given it another forward."""
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks) or "forward" in vars(module)


def _describe(layers: Sequence[nn.Module]) -> tuple[Any, ...] | None:
    """The function that the first layer is, if it has no weights and what follows leaves its output as it
    is; else None."""
    first = layers[0]
    # A convolution reads its input alone; a user's module may change it in place.
    if len(layers) > 1 and not isinstance(layers[1], nn.Conv2d):
        return None
    if type(first) is nn.ReLU and len(layers) > 1 and not first.inplace:
        return (nn.ReLU,)
    if type(first) is nn.MaxPool2d and not first.return_indices:
        return nn.MaxPool2d, first.kernel_size, first.stride, first.padding, first.dilation, first.ceil_mode
    if type(first) is nn.AvgPool2d:
        window = first.kernel_size, first.stride, first.padding, first.ceil_mode
        return nn.AvgPool2d, *window, first.count_include_pad, first.divisor_override
    return None
