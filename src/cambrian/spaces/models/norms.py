"""Normalisations: batch normalisation, groups of channels (Wu & He 2018, arXiv 1803.08494), or none."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cambrian.spaces.models.channels import find_layer_before
from cambrian.spaces.models.forward import Forward
from cambrian.spaces.models.layers import copy_into, put_module, remake_layer
from cambrian.spaces.models.questions import NORM, Question, name_question

BATCH, GROUP, NONE = "batch", "group", "none"
GROUPS, CHANNELS = 32, 4
"""Groups, at most (Wu & He 2018, Sec. 3), and the channels that each has at least."""
KINDS = (nn.BatchNorm1d, nn.BatchNorm2d)


def find_norms(forward: Forward, each: str) -> list[Question]:
    """A question for all batch normalisations of a kind, or for those in each block. "none" is among its
    answers where every one can be folded into the layer before it."""
    parts: dict[str, list[str]] = {}
    for path in forward.list_plain(*KINDS):
        if _is_safe(forward, path):
            kind = type(forward.network.get_submodule(path)).__name__
            parts.setdefault(path.rpartition(".")[0] if each == "block" else kind, []).append(path)
    return [_make_question(forward, name, tuple(members)) for name, members in parts.items()]


def _is_safe(forward: Forward, path: str) -> bool:
    """Whether other normalisations take the same input: batches of vectors and of images, with statistics."""
    norm = forward.network.get_submodule(path)
    shapes = [visit.given for visit in forward.visits[path]]
    sound = all(shape is not None and len(shape) in (2, 4) for shape in shapes)
    wide = int(getattr(norm, "num_features", 0)) >= CHANNELS
    return sound and wide and bool(getattr(norm, "track_running_stats", False))


def _make_question(forward: Forward, name: str, members: tuple[str, ...]) -> Question:
    before = tuple(find_layer_before(forward, path) for path in members)
    options = (BATCH, GROUP, NONE) if all(before) else (BATCH, GROUP)
    return Question(NORM, name_question(name, NORM), options, BATCH, members, before=before)


def set_norm(network: nn.Module, path: str, before: str, answer: str) -> None:
    """Put another normalisation in the place of a batch normalisation, with its scales and shifts; or fold it
    into the layer before it, which keeps the function in evaluation mode."""
    norm = network.get_submodule(path)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    if answer == GROUP:
        put_module(network, path, _make_groups(norm))
    elif isinstance(layer := network.get_submodule(before), nn.Conv2d | nn.Linear):
        put_module(network, before, _fold(layer, norm))
        put_module(network, path, nn.Identity())


def count_groups(channels: int) -> int:
    """The most groups that divide the channels.

    >>> count_groups(64), count_groups(24), count_groups(7)
    (16, 6, 1)
    """
    return max(g for g in range(1, GROUPS + 1) if channels % g == 0 and (g == 1 or channels // g >= CHANNELS))


def _make_groups(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.GroupNorm:
    assert norm.running_mean is not None
    place: dict[str, Any] = {"device": norm.running_mean.device, "dtype": norm.running_mean.dtype}
    groups = count_groups(norm.num_features)
    changed = nn.GroupNorm(groups, norm.num_features, norm.eps, norm.affine, **place)
    copy_into(changed, {name: p.detach() for name, p in norm.named_parameters()}, norm)
    return changed


def _fold(layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    folded = fuse_conv_bn_weights(
        layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    inputs = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
    changed = remake_layer(layer, inputs, layer.weight.shape[0], bias=True)
    tensors = {"weight": folded[0].detach(), "bias": folded[1].detach()}
    copy_into(changed, tensors, layer)
    return changed
