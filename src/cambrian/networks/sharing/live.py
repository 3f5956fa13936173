"""The weights of a supernet that belong to the network of one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cambrian.networks.sharing.elastic import Elastic, Slice, cut, slice_of
from cambrian.networks.sharing.kernels import KernelMatrices
from cambrian.networks.sharing.switches import Switch

Slices = Mapping[str, Slice | None]


class Weight(NamedTuple):
    """A tensor of a state_dict; for an elastic module also the slices of it, by prefixes of names, and the
    matrices that smaller kernels go through."""

    name: str
    tensor: Tensor
    slices: Slices | None
    kernels: KernelMatrices | None

    def cut_to(self, shape: Sequence[int]) -> Tensor | None:
        """The tensor cut to that shape, or None where it cannot be."""
        if self.slices is not None and self.tensor.ndim == len(shape):
            with torch.no_grad():  # the matrices are parameters, and a state_dict has none
                return cut(self.tensor, shape, slice_of(self.name, self.slices), self.kernels)
        return self.tensor if self.tensor.shape == shape else None


def live_weights(network: nn.Module, plan: Any) -> dict[str, Weight]:
    """The weights of the plan's network by name, in the order of the state_dict."""
    # The order matters: `Supernet.weights` pairs them with those of the plan's own network by position.
    weights: dict[str, Weight] = {}
    _collect(network, "", frozenset(), None, None, plan, weights)
    return weights


def _collect(
    module: nn.Module,
    prefix: str,
    idle: frozenset[str],
    slices: Slices | None,
    kernels: KernelMatrices | None,
    plan: Any,
    weights: dict[str, Weight],
) -> None:
    # A switch knows the prefixes of its idle parts, which may lie several modules below it.
    if isinstance(module, Switch):
        idle = idle | {f"{prefix}{part}" for part in module.idle(plan)}
    if prefix in idle:
        return
    if isinstance(module, Elastic):
        slices = {f"{prefix}full.{begin}": part for begin, part in module.slices(plan).items()}
        kernels = module.kernels
    own: dict[str, Tensor] = {}
    # torch's own, so that persistent buffers and extra names are those of the state_dict.
    module._save_to_state_dict(own, prefix, False)
    weights.update({name: Weight(name, tensor, slices, kernels) for name, tensor in own.items()})
    for name, child in module._modules.items():
        if child is not None:
            _collect(child, f"{prefix}{name}.", idle, slices, kernels, plan, weights)
