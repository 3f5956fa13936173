"""Networks as they are followed call by call, each value being named by its channels (see `channels`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from cambrian.networks.morphisms.alignment import DENSE, NORMS
from cambrian.networks.morphisms.channels import Symbols, Value, ones
from cambrian.networks.morphisms.functions import Functions
from cambrian.networks.morphisms.new_layers import Norm
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
        if call.function in DENSE | NORMS:
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


def read_geometry(network: Network, call: Call) -> tuple[object, object, list[int]]:
    """Stride and dilation, the images' size after the layer, and the kernel."""
    stride = call.named.get("stride", call.args[3] if len(call.args) > 3 else 1)
    dilation = call.named.get("dilation", call.args[5] if len(call.args) > 5 else 1)
    size = network.record.shapes[call.output][2:]
    return (stride, dilation), size, list(network.tensors[call.weights[0]].shape[2:])
