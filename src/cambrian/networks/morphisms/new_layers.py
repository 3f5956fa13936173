"""Layers that the parent does not have: one that passes its input on (Net2DeeperNet, Chen et al. 2016, Sec.
2.4), and one that is silent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from cambrian.networks.morphisms.alignment import NORMS, is_depthwise
from cambrian.networks.morphisms.channels import Value, find_places
from cambrian.networks.morphisms.following import Network
from cambrian.networks.morphisms.norms import Norm, read_norm
from cambrian.networks.morphisms.recording import Call
from cambrian.networks.morphisms.transfers import share_columns, spread_units


@dataclass
class Passing:
    """A layer that passes on: its tensors, its normalisation, and the value that it passes."""

    value: Value
    tensors: dict[str, Tensor] = field(default_factory=dict)
    norms: list[Norm] = field(default_factory=list)


def can_pass(network: Network, n: int) -> bool:
    """Whether the layer passes its input, or its first functions, on for some weights: it keeps the images'
    size, and reads channels."""
    call = network.record.calls[n]
    if call.function in NORMS:
        return len(read_norm(call).affine) == 2
    if not call.slots or not call.weights:
        return False
    weight = network.tensors[call.weights[0]]
    given, out = network.record.shapes[call.slots[0]], network.record.shapes[call.output]
    same = given[2:] == out[2:] and all(k % 2 for k in weight.shape[2:])
    if is_depthwise(call, weight.shape):
        return same and len(weight) == given[1]
    # Linear layers of a sequence would read another axis than channels.
    return same and weight.ndim == len(given) and weight.shape[1] == given[1]


def pass_on(network: Network, call: Call, x: Value, spread: float = 0.0) -> Passing:
    """The layer with weights by which it is the identity; further channels copy some of the first. One of
    fewer channels than it reads passes each function on once, from its copies, in shares that differ by
    `spread` (see `share_columns`): as many as it has channels, of a concatenation the first ones."""
    if call.function in NORMS:
        return _pass_norm(network, call, x)
    weight = network.tensors[call.weights[0]]
    tensors = {name: torch.zeros_like(network.tensors[name]) for name in call.weights}
    # A view in which the middle of a kernel, whose sides are odd, is in the middle of a row.
    flat = tensors[call.weights[0]].view(len(weight), weight.shape[1], -1)
    middle = flat.shape[2] // 2
    if is_depthwise(call, weight.shape):
        units = list(range(len(x)))
        flat[:, 0, middle] = 1.0
    elif len(weight) >= len(x):
        units = list(spread_units(len(x), len(weight)))
        flat[range(len(units)), units, middle] = 1.0
    else:
        units = _pass_functions(flat[:, :, middle], x, spread)
    symbols, scales = tuple(x.symbols[u] for u in units), tuple(x.scales[u] for u in units)
    return Passing(replace(x, symbols=symbols, scales=scales), tensors)


def _pass_functions(weight: Tensor, x: Value, spread: float) -> list[int]:
    """Fill float[units, channels] so that each function of `x` is passed on; gives each unit's channel."""
    places = list(find_places(x).values())[: len(weight)]
    if not places:
        return [0] * len(weight)
    generator = torch.Generator().manual_seed(0)
    units = [places[k][0] for k in spread_units(len(places), len(weight))]
    copies = {indices[0]: indices for indices in places}
    for row, first in enumerate(units):
        for i, _, share in share_columns(copies[first], [first], generator, spread):
            weight[row, i] = share * x.scales[first] / x.scales[i]
    return units


def _pass_norm(network: Network, call: Call, x: Value) -> Passing:
    norm = read_norm(call)
    # With the statistics of a new layer, mean 0 and variance 1, until they are estimated.
    tensors = {name: torch.zeros_like(network.tensors[name]) for name in norm.affine}
    tensors[norm.affine[0]] += (1.0 + norm.eps) ** 0.5
    return Passing(x, tensors, [norm])


def can_be_silent(call: Call) -> bool:
    """Whether some weights make the layer give zeros: not a normalisation without any, nor a layer whose bias
    is computed."""
    return len(read_norm(call).affine) == 2 if call.function in NORMS else len(call.slots) == 1


def silence(network: Network, call: Call) -> dict[str, Tensor]:
    """The tensors by which the layer, which can be silent, gives zeros."""
    names = read_norm(call).affine if call.function in NORMS else tuple(call.weights)
    return {name: torch.zeros_like(network.tensors[name]) for name in names}
