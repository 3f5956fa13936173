"""The statistics of normalisations that pass their input on.

Such a layer is the identity in training only if its weight and bias are the deviation and the mean of that
very input, which a forward pass of one batch estimates before anything is trained, as EAS does (Cai et al.
2018, "Efficient Architecture Search by Network Transformation", and its code).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from cambrian.networks.morphisms.norms import Norm

BATCH = 64
"""Images of the estimate, as in EAS."""


def estimate_norms(network: nn.Module, norms: Sequence[Norm], inputs: Tensor) -> None:
    """Give these new normalisations the statistics of what they read when `network` sees `inputs`, and the
    weights by which they pass that on, in training as in evaluation."""
    modules = [network.get_submodule(norm.mean.rpartition(".")[0]) for norm in norms if norm.mean]
    layers = [module for module in modules if isinstance(module, _BatchNorm)]
    if not layers:
        return
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    statistics: dict[_BatchNorm, tuple[Tensor, Tensor]] = {}
    hooks = [layer.register_forward_pre_hook(partial(_set_affine, statistics)) for layer in layers]
    training = network.training
    try:
        with torch.no_grad():
            _train_without_dropout(network)(inputs)
            for name, buffer in network.named_buffers():
                buffer.copy_(before[name])  # a forward in training mode moves all running statistics
            for layer, (mean, var) in statistics.items():
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.copy_(mean)
                layer.running_var.copy_(var)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(training)


def _set_affine(
    statistics: dict[_BatchNorm, tuple[Tensor, Tensor]], layer: nn.Module, given: tuple[Any, ...]
) -> None:
    """Before the layer runs, so that those after it see what they will see."""
    assert isinstance(layer, _BatchNorm)
    axes = [axis for axis in range(given[0].ndim) if axis != 1]
    var, mean = torch.var_mean(given[0], axes, correction=0)
    layer.weight.copy_((var + layer.eps).sqrt())
    layer.bias.copy_(mean)
    statistics[layer] = (mean, var)


def _train_without_dropout(network: nn.Module) -> nn.Module:
    network.train()
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.eval()
    return network
