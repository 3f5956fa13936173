"""The calls that a network makes, in order, with the shapes of their results: a graph that can be run
together with the graphs of other networks.

Torch's tracer follows the network's forward with symbols in place of tensors, so that a network is traced
whose forward does not depend on the values of its tensors, as those of cells do not.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from cambrian.errors import UsageError
from cambrian.networks.drop_path import find_path_droppers
from cambrian.networks.population.layers import Layer, find_layer, passes_through

PROBES = (2, 3)
"""Numbers of images of the two probes: a number that differs between them depends on the batch."""


@dataclass(eq=False)
class Call:
    """One call of a lane's network. `inputs` are the calls whose results it reads; `layer` is None for one
    that runs for this network alone. `shape` is that of the result without the batch. `parts`: the result is
    not computed, but stands for those of `inputs` side by side, once each."""

    lane: int
    node: fx.Node
    module: nn.Module | None
    layer: Layer | None
    inputs: tuple[Call, ...]
    shape: tuple[int, ...]
    parts: bool = False
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        self.depth = 1 + max((call.depth for call in self.inputs), default=0)

    @cached_property
    def key(self) -> Hashable:
        """Calls with equal keys may run as one."""
        module = self.module
        names = self.layer.weights if self.layer is not None and module is not None else ()
        tensors = [getattr(module, name) for name in names]
        weights = tuple(None if tensor is None else tuple(tensor.shape) for tensor in tensors)
        return self.layer, weights, tuple(call.shape for call in self.inputs)


@dataclass(frozen=True)
class Trace:
    """The calls of one network in order, the first of which is its input, and the arguments of its output."""

    network: nn.Module
    calls: dict[fx.Node, Call]
    constants: dict[fx.Node, Any]
    output: Any

    @property
    def outputs(self) -> list[Call]:
        """The calls whose results make the output."""
        read: list[Call] = []
        fx.node.map_arg(self.output, lambda node: read.append(self.calls[node]))
        return read

    @property
    def input(self) -> Call:
        return next(iter(self.calls.values()))


class _Tracer(fx.Tracer):
    """Looks into every module but torch's own and the convolutions, which are layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def trace(network: nn.Module, lane: int, shape: tuple[int, int, int]) -> Trace:
    """The trace of a network in training on images of `shape` (channels, height, width). Raises UsageError
    for a network that cannot be traced, and for one that drops paths or runs a module with weights twice."""
    if any(dropper.drop_path for dropper in find_path_droppers(network)):
        raise UsageError(f"network {lane + 1} of the population drops paths: leave out drop_path")
    network.train()
    try:
        graph = _Tracer().trace(network)
    except Exception as error:  # a forward may fail on symbols in any way
        raise UsageError(
            f"network {lane + 1} of the population cannot be traced ({error}): train it alone"
        ) from error
    shapes, constants = _probe(network, graph, shape)
    calls = _list_calls(network, graph, lane, shapes, constants)
    output = next(node for node in graph.nodes if node.op == "output")
    return Trace(network, _drop_unread(calls, output), constants, output.args[0])


def _drop_unread(calls: dict[fx.Node, Call], output: fx.Node) -> dict[fx.Node, Call]:
    """The calls without those that the output does not depend on, as of shapes that are known; the network's
    input stays."""
    read: set[Call] = set()
    new = {calls[node] for node in output.all_input_nodes}
    while new:
        read |= new
        new = {before for call in new for before in call.inputs} - read
    return {node: c for node, c in calls.items() if c in read or node.op == "placeholder"}


def _list_calls(
    network: nn.Module,
    graph: fx.Graph,
    lane: int,
    shapes: dict[fx.Node, tuple[int, ...]],
    constants: dict[fx.Node, Any],
) -> dict[fx.Node, Call]:
    calls: dict[fx.Node, Call] = {}
    seen: set[str] = set()
    for node in graph.nodes:
        if node in constants or node.op == "output":
            continue
        module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
        if module is not None and next(module.parameters(), None) is not None:
            if node.target in seen:
                raise UsageError(
                    f"network {lane + 1} of the population runs its module {node.target} twice: train it "
                    f"alone"
                )
            seen.add(str(node.target))
        calls[node] = _call(node, module, lane, calls, shapes.get(node, ()), constants)
    return calls


def _call(
    node: fx.Node,
    module: nn.Module | None,
    lane: int,
    calls: dict[fx.Node, Call],
    shape: tuple[int, ...],
    constants: dict[fx.Node, Any],
) -> Call:
    read = [n for n in node.all_input_nodes if n in calls]
    if _concatenates_channels(node):
        parts: Any = node.args[0]
        return Call(lane, node, None, None, tuple(calls[n] for n in parts), shape, parts=True)
    if passes_through(module):
        return Call(lane, node, module, None, tuple(calls[n] for n in read), shape, parts=True)
    layer = None
    if node.op in ("call_module", "call_function", "call_method") and shape:
        settings = fx.node.map_arg(node.args[1:], lambda n: constants.get(n, n))
        layer = find_layer(module, node, _freeze(settings))
    operands = [calls[n] for n in node.args if isinstance(n, fx.Node) and n in calls]
    return Call(lane, node, module, layer, tuple(operands if layer else (calls[n] for n in read)), shape)


def _freeze(settings: Any) -> Any:
    """Lists as tuples, so that settings can be compared by hash."""
    return tuple(map(_freeze, settings)) if isinstance(settings, list | tuple) else settings


def _concatenates_channels(node: fx.Node) -> bool:
    if node.target is not torch.cat or not isinstance(node.args[0], list | tuple):
        return False
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    return isinstance(dim, int) and dim == 1


def _probe(
    network: nn.Module, graph: fx.Graph, shape: tuple[int, int, int]
) -> tuple[dict[fx.Node, tuple[int, ...]], dict[fx.Node, Any]]:
    """The shapes of all results that are tensors, without the batch, and the values of those that are not and
    do not depend on the batch."""
    like = next(network.parameters())
    network.eval()  # the probes are not to count in the statistics of normalisation
    probes = []
    for images in PROBES:
        probe = _Probe(network, graph)
        with torch.no_grad():
            probe.run(torch.zeros((images, *shape), device=like.device, dtype=like.dtype))
        probes.append(probe.results)
    network.train()
    first, second = probes
    nodes = [node for node in graph.nodes if node.op != "output"]
    shapes = {node: tuple(first[node].shape[1:]) for node in nodes if isinstance(first[node], Tensor)}
    rest = [node for node in nodes if node not in shapes]
    return shapes, {node: first[node] for node in rest if first[node] == second[node]}


class _Probe(fx.Interpreter):
    """Runs a graph and keeps the results of all calls."""

    def __init__(self, network: nn.Module, graph: fx.Graph) -> None:
        super().__init__(network, garbage_collect_values=False, graph=graph)
        self.results: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        self.results[n] = result
        return result
