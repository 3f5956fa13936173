"""Layers of another size that keep the weights they have room for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

Layer = nn.Conv2d | nn.Linear


def put_module(network: nn.Module, path: str, module: nn.Module) -> None:
    """Put `module` in the place of the one at `path`, in its mode."""
    parent, _, name = path.rpartition(".")
    module.train(network.get_submodule(path).training)
    setattr(network.get_submodule(parent), name, module)


def remake_layer(layer: Layer, inputs: int, outputs: int, **changes: Any) -> Layer:
    """A layer of the same kind and settings with its own random weights; `changes` are further settings."""
    place: dict[str, Any] = {"device": layer.weight.device, "dtype": layer.weight.dtype}
    bias = changes.pop("bias", layer.bias is not None)
    if isinstance(layer, nn.Linear):
        return nn.Linear(inputs, outputs, bias, **place)
    settings = {
        name: getattr(layer, name)
        for name in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    }
    return nn.Conv2d(inputs, outputs, bias=bias, **{**settings, **changes}, **place)


def copy_into(module: nn.Module, tensors: dict[str, Tensor], like: nn.Module) -> None:
    """Write each tensor over the beginning of the module's own one, and freeze what is frozen in `like`."""
    own = dict(module.named_parameters()) | dict(module.named_buffers())
    frozen = {name for name, p in like.named_parameters() if not p.requires_grad}
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name][tuple(slice(0, n) for n in tensor.shape)].copy_(tensor)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)


def resize_outputs(layer: Layer, kept: Tensor, width: int) -> Layer:
    """The layer with `width` outputs: the `kept` ones, and random ones behind them."""
    depthwise = isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
    inputs = width if depthwise else layer.weight.shape[1]
    changes = {"groups": width} if depthwise else {}
    changed = remake_layer(layer, inputs, width, **changes)
    copy_into(changed, {name: p.detach()[kept] for name, p in layer.named_parameters()}, layer)
    return changed


def resize_inputs(layer: Layer, kept: Tensor, width: int, pixels: int) -> Layer:
    """The layer for `width` channels of `pixels` inputs each. It does not read new ones yet: their weights
    are zero, so that a wider network begins as the same function (Chen et al. 2016, Sec. 2, by zeros)."""
    columns = (kept[:, None] * pixels + torch.arange(pixels, device=kept.device)).flatten()
    changed = remake_layer(layer, width * pixels, layer.weight.shape[0])
    tensors = {name: p.detach() for name, p in layer.named_parameters()}
    tensors["weight"] = tensors["weight"][:, columns]
    with torch.no_grad():
        changed.weight[:, len(columns) :] = 0.0
    copy_into(changed, tensors, layer)
    return changed


def resize_norm(norm: nn.Module, kept: Tensor, width: int) -> nn.Module:
    """The normalisation of `width` channels."""
    changed = _remake_norm(norm, width)
    state = dict(norm.named_parameters()) | dict(norm.named_buffers())
    copy_into(changed, {n: t.detach()[kept] if t.dim() else t.detach() for n, t in state.items()}, norm)
    return changed


def _remake_norm(norm: nn.Module, width: int) -> nn.Module:
    if isinstance(norm, nn.GroupNorm):
        return nn.GroupNorm(norm.num_groups, width, norm.eps, norm.affine, **_place(norm))
    if isinstance(norm, nn.LayerNorm):
        bias = norm.bias is not None
        return nn.LayerNorm(width, norm.eps, norm.elementwise_affine, bias, **_place(norm))
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    settings = (norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    return type(norm)(width, *settings, **_place(norm))


def _place(module: nn.Module) -> dict[str, Any]:
    """The device and the type of a module's tensors."""
    tensors = (*module.parameters(), *module.buffers())
    found = next((t for t in tensors if t.is_floating_point()), None)
    return {} if found is None else {"device": found.device, "dtype": found.dtype}
