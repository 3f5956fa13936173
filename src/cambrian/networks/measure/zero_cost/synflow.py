"""SynFlow: the flow of synaptic strength (Tanaka et al. 2020, arXiv 2006.05467)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cambrian.networks.measure.zero_cost.proxy import (
    Batch,
    Proxy,
    compute_logits,
    differentiate,
    weights_of,
)
from cambrian.settings import Span


def synflow(network: nn.Module, shape: tuple[int, ...]) -> float:
    """The sum of |w dR/dw| over the weights of convolutions and linear layers. R is the sum of the outputs
    for an image of ones of `shape`, with every parameter and buffer replaced by its absolute value and
    without batch normalisation. The network is changed."""
    _make_absolute(network.double())
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            # Statistics of one image of ones would cancel the strength that is measured.
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    weights = weights_of(network)
    device = weights[0].device if weights else torch.device("cpu")
    ones = torch.ones(1, *shape, dtype=torch.float64, device=device)
    flow = compute_logits(network, ones).sum()
    gradients = differentiate(flow, weights)
    return float(sum((w * g).abs().sum().detach() for w, g in zip(weights, gradients, strict=True)))


def _make_absolute(network: nn.Module) -> None:
    with torch.no_grad():
        for value in network.state_dict().values():
            if isinstance(value, Tensor) and value.is_floating_point():
                value.abs_()


@dataclass(frozen=True)
class Synflow(Proxy):
    """The logarithm of SynFlow's score, which reaches 1e61. It reads no images."""

    images: Annotated[int, Span(1)] = 1
    reads_batch: ClassVar[bool] = False
    phrase: ClassVar[str] = "log of the synaptic flow"

    def score(self, network: nn.Module, batch: Batch) -> float:
        strength = synflow(network, tuple(batch.images.shape[1:]))
        return math.log(strength) if strength > 0 else -math.inf
