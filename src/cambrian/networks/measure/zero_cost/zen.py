"""The Zen-score: the expressivity of a network with Gaussian weights (Lin et al. 2021, arXiv 2102.01063)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_logits, layers_of
from cambrian.settings import COUNT, POSITIVE, Span

POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True)
class Zen(Proxy):
    """ln of the mean |f(x) - f(x + gamma x')| of the features f before the last pooling, for Gaussian x and
    x', plus ln of the deviation in each normalisation, over `repeats` drawings of Gaussian weights. The
    deviations are those of the batch itself; the published code takes the running average, which starts at
    1. It ranks networks without branches; on NAS-Bench-201 it does not rank (Kendall .10 as published)."""

    images: Annotated[int, Span(2)] = 16
    repeats: Annotated[int, COUNT] = 32
    gamma: Annotated[float, POSITIVE] = 0.01
    reads_batch: ClassVar[bool] = False
    phrase: ClassVar[str] = "sensitivity of the features of Gaussian weights"

    def score(self, network: nn.Module, batch: Batch) -> float:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            scores = [self._repeat(network, batch.images, generator) for _ in range(self.repeats)]
        return sum(scores) / len(scores)

    def _repeat(self, network: nn.Module, images: Tensor, generator: torch.Generator) -> float:
        draw_gaussian(network, generator)
        x = _draw_like(images, generator)
        features = read_features(network, x)
        scaling = sum_deviations(network)
        moved = read_features(network, x + self.gamma * _draw_like(images, generator))
        change = float((features - moved).double().abs().flatten(1).sum(1).mean())
        return (math.log(change) if change > 0 else -math.inf) + scaling


def draw_gaussian(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of convolutions and linear layers from N(0, 1); normalisation and biases start
    anew."""
    for layer in layers_of(network):
        assert isinstance(layer.weight, Tensor)
        layer.weight.copy_(_draw_like(layer.weight, generator))
        if isinstance(layer.bias, Tensor):
            layer.bias.zero_()
    for norm in network.modules():
        if isinstance(norm, _BatchNorm):
            norm.reset_parameters()
            norm.momentum = 1.0  # the running statistics are those of the last batch


def sum_deviations(network: nn.Module) -> float:
    """The sum over normalisations of ln of the root of the mean variance."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_var is not None]
    means = [float(m.running_var.double().mean()) for m in norms if m.running_var is not None]
    return sum(0.5 * math.log(v) if v > 0 else 0.0 for v in means)


def read_features(network: nn.Module, images: Tensor) -> Tensor:
    """The last map of features, float[n, channels, height, width], before the last pooling; the logits of a
    network without maps."""
    maps: list[Tensor] = []
    pooled: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, POOLS):
            pooled.append(output)
        map_ = inputs[0] if isinstance(module, POOLS) else output
        # A module that ends with the pooling returns what is pooled.
        if isinstance(map_, Tensor) and map_.dim() == 4 and not any(map_ is p for p in pooled):
            maps.append(map_)

    # Composite modules too: what a cell returns is the concatenation of what its layers return.
    hooks = [m.register_forward_hook(record) for m in network.modules()]
    try:
        logits = compute_logits(network, images)
    finally:
        for hook in hooks:
            hook.remove()
    return maps[-1] if maps else logits


def _draw_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(tensor.shape, generator=generator).to(tensor)
