"""The width of a layer, followed through a recorded pass: to the layers that read it, or to the function that
couples it with another width."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import nn

from cambrian.networks.morphisms.function_kinds import (
    CURVED,
    HOMOGENEOUS,
    IDENTITIES,
    PRODUCTS,
    REDUCING,
    RESHAPES,
    SUMS,
)
from cambrian.networks.morphisms.recording import Call
from cambrian.spaces.models.forward import Forward
from cambrian.spaces.models.questions import Reader

JOINS = {
    **dict.fromkeys(SUMS | {"sub", "isub", "rsub"}, "an addition"),
    **dict.fromkeys(PRODUCTS | {"div", "truediv"}, "a multiplication"),
    **dict.fromkeys(("cat", "concat", "concatenate"), "a concatenation"),
}
"""Functions of two values, as a sentence calls them."""
POINTWISE = (CURVED | IDENTITIES | {"relu", "leaky_relu"}) - {"exp"}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


class Coupled(Exception):
    """The reason why a width cannot be changed, as the end of a sentence."""


class Place(NamedTuple):
    """A value by its number, the axis of its channels, and the places on that axis for each channel."""

    number: int
    axis: int
    pixels: int


@dataclass
class Chain:
    """The layers with a width: those of as many channels as its maker, and those that read it. Widths must
    be multiples of `unit`."""

    resized: list[str] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    unit: int = 1


def follow_width(forward: Forward, made: Call) -> Chain:
    """The chain of the width that a call makes. Raises Coupled."""
    shape = forward.record.shapes[made.output]
    chain = Chain()
    todo = [Place(made.output, 1 if made.function == "conv2d" else len(shape) - 1, 1)]
    while todo:
        place = todo.pop()
        if place.number == forward.record.result:
            raise Coupled("is the network's output")
        for call in forward.list_readers(place.number):
            todo += _pass_on(forward, chain, call, place)
    if not chain.readers:
        raise Coupled("is read by no layer")
    return chain


def _pass_on(forward: Forward, chain: Chain, call: Call, place: Place) -> list[Place]:
    """The values that have the same channels behind this call; none behind a layer that reads them."""
    if call.function in ("conv2d", "linear"):
        return _read_layer(forward, chain, call, place)
    if call.function.endswith("_norm"):
        return [_pass_norm(forward, chain, call, place)]
    if call.weights or len(call.outputs) != 1:
        raise Coupled(f"is read by {call.function!r}, which has no rule")
    alone = call.slots == [place.number]
    if call.function in JOINS and not (alone and call.function not in ("cat", "concat", "concatenate")):
        raise Coupled(f"is coupled with {_name_partner(forward, call, place)} by {JOINS[call.function]}")
    if alone and (call.function in POINTWISE or call.function in JOINS):
        return [place._replace(number=call.output)]
    if alone and call.function in HOMOGENEOUS and place.axis == 1 and place.pixels == 1:
        return [place._replace(number=call.output)]
    if alone and call.function in REDUCING:
        return [_reduce(forward, call, place)]
    if alone and call.function in RESHAPES:
        return [_flatten(forward, call, place)]
    raise Coupled(f"is read by {call.function!r}, which has no rule")


def _read_layer(forward: Forward, chain: Chain, call: Call, place: Place) -> list[Place]:
    path = _layer_of(forward, call)
    if path is None or call.slots != [place.number]:
        raise Coupled(f"is read by {call.function!r} outside of a layer of its own")
    layer = forward.network.get_submodule(path)
    if isinstance(layer, nn.Linear):
        if place.axis != len(forward.record.shapes[place.number]) - 1:
            raise Coupled(f"is read by {path} along another axis")
    elif not isinstance(layer, nn.Conv2d) or place.axis != 1 or place.pixels != 1:
        raise Coupled(f"is read by {path} along another axis")
    elif layer.groups > 1:
        # Each output has its own input: the channels go on, as through an activation.
        if layer.in_channels == layer.out_channels == layer.groups:
            chain.resized.append(path)
            return [place._replace(number=call.output)]
        raise Coupled(f"is read in groups by {path}")
    chain.readers.append(Reader(path, place.pixels))
    return []


def _pass_norm(forward: Forward, chain: Chain, call: Call, place: Place) -> Place:
    path = _layer_of(forward, call)
    norm = None if path is None else forward.find_plain(path, *NORMS)
    if norm is None or path is None:
        raise Coupled(f"is normalised by {call.function!r} outside of a layer of its own")
    last = len(forward.record.shapes[place.number]) - 1
    if isinstance(norm, nn.LayerNorm):
        fits = place.axis == last and len(norm.normalized_shape) == 1
    else:
        fits = place.axis == 1
    if not fits or place.pixels != 1:
        raise Coupled(f"is normalised along other axes by {path}")
    if isinstance(norm, nn.GroupNorm):
        chain.unit = math.lcm(chain.unit, norm.num_groups)
    chain.resized.append(path)
    return place._replace(number=call.output)


def _reduce(forward: Forward, call: Call, place: Place) -> Place:
    """A mean over other axes than that of the channels."""
    before, after = (len(forward.record.shapes[n]) for n in (place.number, call.output))
    given = call.named.get("dim", call.args[1] if len(call.args) > 1 else None)
    axes = {axis % before for axis in ((given,) if isinstance(given, int) else given or range(before))}
    if place.axis in axes:
        raise Coupled(f"is reduced by {call.function!r}")
    gone = sum(axis < place.axis for axis in axes) if after < before else 0
    return place._replace(number=call.output, axis=place.axis - gone)


def _flatten(forward: Forward, call: Call, place: Place) -> Place:
    """Images as vectors, the pixels of a channel side by side."""
    before, after = (forward.record.shapes[n] for n in (place.number, call.output))
    if before == after:
        return place._replace(number=call.output)
    if len(after) != 2 or after[0] != before[0] or place.axis != 1:
        raise Coupled(f"is reshaped by {call.function!r}")
    return Place(call.output, 1, place.pixels * math.prod(before[2:]))


def _layer_of(forward: Forward, call: Call) -> str | None:
    """The path of the layer whose call this is, where its weights are read here alone."""
    names = call.weights
    paths = {name.rpartition(".")[0] for name in names}
    if len(paths) != 1 or any(forward.count_uses(name) != 1 for name in names):
        return None
    path = paths.pop()
    kinds = (nn.Conv2d, nn.Linear, *NORMS)
    return path if forward.find_plain(path, *kinds) is not None else None


def list_makers(forward: Forward) -> list[tuple[str, Call]]:
    """The layers whose width is their own, with their calls: convolutions that are not in groups, and linear
    layers."""
    makers = []
    for call in forward.record.calls:
        path = _layer_of(forward, call) if call.function in ("conv2d", "linear") else None
        layer = None if path is None else forward.network.get_submodule(path)
        if path is not None and (isinstance(layer, nn.Linear) or getattr(layer, "groups", 2) == 1):
            makers.append((path, call))
    return makers


def find_layer_before(forward: Forward, norm: str) -> str:
    """The layer whose output only this normalisation reads; "" where there is none."""
    call = next((c for c in forward.record.calls if norm == _layer_of(forward, c)), None)
    made = None if call is None else forward.find_maker(call.slots[0])
    if call is None or made is None or len(forward.list_readers(made.output)) != 1:
        return ""
    return (_layer_of(forward, made) or "") if made.function in ("conv2d", "linear") else ""


def _name_partner(forward: Forward, call: Call, place: Place) -> str:
    """The layer that another value of the call comes from."""
    others = [number for number in call.slots if number != place.number]
    number = others[0] if others else place.number
    while number != forward.record.input:
        made = forward.find_maker(number)
        if made is None:
            return "a constant"
        if made.weights:
            return made.weights[0].rpartition(".")[0] or made.weights[0]
        if not made.slots:
            return "a constant"
        number = made.slots[0]
    return "the input"
