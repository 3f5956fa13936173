"""Several networks as one, whose calls run in groups: each is a *lane* with its own weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from cambrian.errors import UsageError
from cambrian.networks.population.grouping import group_calls
from cambrian.networks.population.layers import Convolution, Layer
from cambrian.networks.population.packing import Flat, Member, Packing, pack_buffers
from cambrian.networks.population.tracing import Call, Trace, trace


@dataclass(frozen=True)
class Piece:
    """The result of one call: the part `member` of the tensor in a slot, or all that is in it."""

    slot: int
    member: int | None = None


@dataclass
class Group:
    """A layer that runs once for `size` calls. `operands[k]` are the pieces that all members together read
    with operand k. `tensors` are the names of the packed weights and buffers in the order of the layer."""

    layer: Layer
    size: int
    slot: int
    operands: list[list[Piece]]
    tensors: list[str | None] = field(default_factory=list)


@dataclass(frozen=True)
class Alone:
    """A call that runs for its network alone."""

    call: Call
    slot: int


class Lanes(nn.Module):
    """[b, channels, height, width] -> a list of each network's output, in training and evaluation alike: with
    further heads, a tuple.

    `networks` stand on the device of their training. They stay usable: their weights and statistics are views
    of the lanes' own, so that each always has its present ones. `shape` is that of an image (channels,
    height, width)."""

    def __init__(self, networks: Sequence[nn.Module], shape: tuple[int, int, int]) -> None:
        super().__init__()
        if not networks:
            raise UsageError("a population needs at least one network, got none")
        self.networks = tuple(networks)  # a tuple is not registered: their tensors are the lanes' own
        self._traces = [trace(network, lane, shape) for lane, network in enumerate(networks)]
        self._packing = Packing()
        self._pieces: dict[Call, list[Piece]] = {t.input: [Piece(0)] for t in self._traces}
        self._sizes: dict[int, int] = {}  # the members of each slot that is cut
        groups = group_calls(call for t in self._traces for call in t.calls.values())
        steps = [self._plan(calls) for calls in groups]
        self._steps: list[Group | Alone] = [step for step in steps if step is not None]
        self._add_rest()
        self._packing.pack()
        self.leaves = nn.ParameterList(self._packing.leaves)
        self._cuts = self._find_cuts()

    @property
    def flats(self) -> list[Flat]:
        """The flat tensors of all weights."""
        return self._packing.flats

    @property
    def calls(self) -> int:
        """The number of calls of layers in a step."""
        return len(self._steps)

    def forward(self, x: Tensor) -> list[Any]:
        slots: dict[int, Any] = {0: x}
        parts: dict[int, tuple[Tensor, ...]] = {}
        for step in self._steps:
            if isinstance(step, Group):
                slots[step.slot] = self._run_group(step, slots, parts)
            else:
                slots[step.slot] = self._run_alone(step.call, slots, parts)
            if step.slot in self._cuts:
                result = slots[step.slot]
                parts[step.slot] = result.split(result.shape[1] // self._sizes[step.slot], 1)
        return [self._resolve(t, t.output, slots, parts) for t in self._traces]

    def _run_group(self, group: Group, slots: dict[int, Any], parts: dict[int, tuple[Tensor, ...]]) -> Tensor:
        operands = [self._gather(pieces, slots, parts) for pieces in group.operands]
        tensors = [None if name is None else self._tensor(name) for name in group.tensors]
        return group.layer.run(operands, tensors, self.training)

    def _run_alone(self, call: Call, slots: dict[int, Any], parts: dict[int, tuple[Tensor, ...]]) -> Any:
        owner = self._traces[call.lane]
        args = self._resolve(owner, call.node.args, slots, parts)
        named = self._resolve(owner, call.node.kwargs, slots, parts)
        if call.node.op == "get_attr":
            return _attribute(owner.network, str(call.node.target))
        if call.node.op == "call_method":
            return getattr(args[0], str(call.node.target))(*args[1:], **named)
        if call.module is not None:
            call.module.train(self.training)
            return call.module(*args, **named)
        return call.node.target(*args, **named)  # type: ignore[operator]

    def _gather(
        self, pieces: list[Piece], slots: dict[int, Any], parts: dict[int, tuple[Tensor, ...]]
    ) -> Any:
        """The pieces side by side; all of a slot's pieces in their order are the tensor in it."""
        first = pieces[0]
        if first.member is None and len(pieces) == 1:
            return slots[first.slot]
        if self._is_whole(pieces):
            return slots[first.slot]
        tensors = [slots[p.slot] if p.member is None else parts[p.slot][p.member] for p in pieces]
        return tensors[0] if len(tensors) == 1 else torch.cat(tensors, 1)

    def _is_whole(self, pieces: list[Piece]) -> bool:
        slot = pieces[0].slot
        return pieces == [Piece(slot, member) for member in range(self._sizes.get(slot, 0))]

    def _resolve(
        self, owner: Trace, argument: Any, slots: dict[int, Any], parts: dict[int, tuple[Tensor, ...]]
    ) -> Any:
        def find(node: fx.Node) -> Any:
            if node in owner.constants:
                return owner.constants[node]
            return self._gather(self._pieces[owner.calls[node]], slots, parts)

        return fx.node.map_arg(argument, find)

    def _tensor(self, name: str) -> Tensor:
        kind, _, number = name.partition(":")
        return self.leaves[int(number)] if kind == "leaf" else self.get_buffer(name)

    def _plan(self, calls: list[Call]) -> Group | Alone | None:
        """The step of a group of calls; None where nothing is to be computed."""
        slot = len(self._sizes) + 1
        if calls[0].parts:
            self._pieces[calls[0]] = [p for read in calls[0].inputs for p in self._pieces[read]]
            return None
        layer = calls[0].layer
        self._sizes[slot] = len(calls)
        if layer is None:
            self._pieces[calls[0]] = [Piece(slot)]
            return Alone(calls[0], slot)
        # In the order in which their inputs lie: those of one group before are then read without a copy.
        calls = sorted(calls, key=lambda c: [(p.slot, p.member or 0) for p in self._pieces[c.inputs[0]]])
        for member, call in enumerate(calls):
            self._pieces[call] = [Piece(slot, member)]
        operands = [self._read(layer, calls, k) for k in range(len(calls[0].inputs))]
        return Group(layer, len(calls), slot, operands, self._pack(layer, calls))

    def _read(self, layer: Layer, calls: list[Call], operand: int) -> list[Piece]:
        reads = [self._pieces[call.inputs[operand]] for call in calls]
        # An ordinary convolution with the filters of all members, where each would read the same tensor.
        module = calls[0].module
        plain = isinstance(layer, Convolution) and getattr(module, "groups", 0) == 1
        if plain and all(pieces == reads[0] for pieces in reads):
            return reads[0]
        return [piece for pieces in reads for piece in pieces]

    def _pack(self, layer: Layer, calls: list[Call]) -> list[str | None]:
        """Pack the tensors of the members; returns their names."""
        modules = [call.module for call in calls if call.module is not None]
        names: list[str | None] = []
        for name in layer.weights:
            if getattr(modules[0], name) is None:
                names.append(None)
                continue
            members = [Member(c.lane, getattr(c.module, name)) for c in calls]
            names.append(f"leaf:{self._packing.add(members)}")
        for name in layer.buffers:
            packed = pack_buffers(modules, name)
            key = f"{name}{len(self._sizes)}"
            if packed is not None:
                self.register_buffer(key, packed)
            names.append(None if packed is None else key)
        return names

    def _add_rest(self) -> None:
        """The parameters of calls that run alone, each by itself."""
        packed = self._packing.parameters
        for lane, network in enumerate(self.networks):
            for parameter in network.parameters():
                if parameter not in packed:
                    self._packing.add([Member(lane, parameter)])

    def _find_cuts(self) -> set[int]:
        """The slots of which a step reads a part."""
        reads = [pieces for step in self._steps if isinstance(step, Group) for pieces in step.operands]
        alone = [step.call for step in self._steps if isinstance(step, Alone)]
        reads += [self._pieces[read] for call in alone for read in call.inputs]
        reads += [self._pieces[call] for t in self._traces for call in t.outputs]
        in_part = [piece for pieces in reads if not self._is_whole(pieces) for piece in pieces]
        return {piece.slot for piece in in_part if piece.member is not None}


def _attribute(network: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    return getattr(network.get_submodule(owner), name)
