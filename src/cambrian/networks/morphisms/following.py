"""Networks as they are followed call by call, each value being named by its channels (see `channels`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from cambrian.networks.morphisms.alignment import is_layer
from cambrian.networks.morphisms.channels import Symbols, Value, ones
from cambrian.networks.morphisms.functions import Functions
from cambrian.networks.morphisms.norms import Norm
from cambrian.networks.morphisms.recording import Call, Record
from cambrian.networks.morphisms.transfers import Transfer


@dataclass
class Network:
    """A network as it is followed: its record and its tensors by name. `inputs` are the values that each call
    reads, `outputs` those of its results."""

    record: Record
    tensors: Mapping[str, Tensor]
    inputs: dict[int, list[Value]] = field(default_factory=dict)
    outputs: dict[int, list[Value]] = field(default_factory=dict)


@dataclass
class Carried:
    """The child's tensors that are not its own random ones; how each was made of the parent's, and the new
    normalisations that pass their input on. `lost` are the parent's layers, by the names of their weights,
    that could not be kept, and `failed` the child's calls that they were for; `exact` says that the child is
    the parent's function."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    norms: list[Norm] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    exact: bool = False


def follow_parent(network: Network, symbols: Symbols) -> Value:
    """The parent's result, each of its weighted calls being symbols of their own."""
    functions = Functions(symbols, network.record.shapes)
    values = {network.record.input: image_value(network, symbols)}
    for n, call in enumerate(network.record.calls):
        given = [values[s] if s in values else constant_value(network, symbols, s) for s in call.slots]
        network.inputs[n] = given
        if is_layer(call):
            count = network.record.shapes[call.output][1]
            results = [ones([symbols.make("out", n, j) for j in range(count)])]
        else:
            weights = [weight_value(symbols, network.tensors[w], w) for w in call.weights]
            results = functions.apply(call, [*given, *weights])
        network.outputs[n] = results
        for number, result in zip(call.outputs, results, strict=True):
            values[number] = result
            symbols.parent.update(result.symbols)
    return values[network.record.result]


def operands(values: Sequence[Value]) -> Sequence[Value]:
    return values[0].parts if values and values[0].parts else values


def image_value(network: Network, symbols: Symbols) -> Value:
    count = network.record.shapes[network.record.input][1]
    value = ones([symbols.make("image", c) for c in range(count)])
    symbols.parent.update(value.symbols)
    return value


def constant_value(network: Network, symbols: Symbols, number: int) -> Value:
    shape = network.record.shapes[number]
    return ones([symbols.make("constant", shape, i) for i in range(shape[1] if len(shape) > 1 else 1)])


def weight_value(symbols: Symbols, tensor: Tensor, name: str) -> Value:
    """A weight as channels: one for all, or one for each."""
    shape = tensor.shape
    count = shape[1] if len(shape) == 4 else shape[0] if len(shape) == 3 else tensor.numel()
    return ones([symbols.make("weight", name, i) for i in range(count)])


class Geometry(NamedTuple):
    """A layer's kernel, stride, dilation and padding before the first pixel, along each axis of the images,
    and their size after the layer. All are empty of a linear layer, but for the size of a sequence's."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]
    size: tuple[int, ...]


def read_geometry(network: Network, call: Call) -> Geometry:
    kernel = tuple(network.tensors[call.weights[0]].shape[2:])

    def read(name: str, place: int, default: int) -> tuple[int, ...]:
        given = call.named.get(name, call.args[place] if len(call.args) > place else default)
        if given == "valid":
            given = 0
        if given == "same":
            return tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
        many = tuple(given) if isinstance(given, Sequence) else (given,)
        return many * len(kernel) if len(many) == 1 else many

    dilation = read("dilation", 5, 1)
    size = network.record.shapes[call.output][2:]
    return Geometry(kernel, read("stride", 3, 1), dilation, read("padding", 4, 0), size)


def holds_kernel(mine: Geometry, theirs: Geometry) -> bool:
    """Whether a layer can have the kernel of another with zeros around it: then each weight meets the pixel
    that it met, the images being padded by so much more as the kernel is larger."""
    if (mine.stride, mine.dilation, mine.size) != (theirs.stride, theirs.dilation, theirs.size):
        return False
    grown = [a - b for a, b in zip(mine.kernel, theirs.kernel, strict=True)]
    shifts = [d * g for d, g in zip(mine.dilation, grown, strict=True)]
    padded = [2 * (a - b) for a, b in zip(mine.padding, theirs.padding, strict=True)]
    return all(g >= 0 and g % 2 == 0 for g in grown) and shifts == padded
