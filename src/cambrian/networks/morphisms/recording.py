"""A record of one forward pass: which functions a network calls, on which values and which weights.

Functions are seen from outside, through torch's function mode, so that any module is recorded that can be
run, whatever control flow or functional calls its forward has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

IMAGES = 2
"""Images of a recorded pass."""


class Slot(NamedTuple):
    """A value, by its number."""

    number: int


class Weight(NamedTuple):
    """A parameter or buffer of the network, by its name."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call of a function, named without the underscore of those that work in place. In `args` and `named`
    values are `Slot`s, and the network's tensors are `Weight`s. `outputs` are numbers of values."""

    function: str
    args: tuple[Any, ...]
    named: Mapping[str, Any]
    outputs: tuple[int, ...]

    @property
    def output(self) -> int:
        return self.outputs[0]

    @cached_property
    def slots(self) -> list[int]:
        """The values it reads."""
        return [x.number for x in _flat((self.args, self.named)) if isinstance(x, Slot)]

    @cached_property
    def weights(self) -> list[str]:
        """The network's tensors it reads."""
        return [x.name for x in _flat((self.args, self.named)) if isinstance(x, Weight)]

    @cached_property
    def settings(self) -> str:
        """The text of all that is no tensor: equal for calls that compute the same function."""
        named = {k: v for k, v in self.named.items() if k != "inplace"}
        return repr(_replace((self.args, named), lambda x: "_" if isinstance(x, Slot | Weight) else x))


@dataclass
class Record:
    """The calls in their order; the shape of every value; the values that are the input and the result."""

    calls: list[Call] = field(default_factory=list)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    input: int = 0
    result: int = 0


def record_forward(network: nn.Module, image: tuple[int, ...]) -> Record:
    """The record of the network in evaluation mode on IMAGES random images of that shape. The network keeps
    its mode, and torch's generator its state."""
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    training = network.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        images = torch.randn(IMAGES, *image).to(device)
        recorder = _Recorder(network.eval(), images)
        try:
            with recorder:
                result = network(images)
        finally:
            network.train(training)
    first = result[0] if isinstance(result, tuple) else result
    recorder.record.result = recorder.number_of(first)
    return recorder.record


class _Recorder(TorchFunctionMode):
    def __init__(self, network: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.record = Record()
        self._names = {id(t): name for name, t in (*network.named_parameters(), *network.named_buffers())}
        self._numbers: dict[int, int] = {}
        self._tensors: dict[int, Tensor] = {}  # an id is one tensor's for as long as that lives
        self._versions: dict[int, int] = {}
        self.record.input = self._add(images)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = _replace((args, kwargs or {}), self._name)
        read = [x for x in _flat((args, kwargs or {})) if isinstance(x, Tensor)]
        versions = [x._version for x in read]
        result = func(*args, **(kwargs or {}))
        written = [x for x, version in zip(read, versions, strict=True) if x._version != version]
        # What returns nothing, as an assignment to a slice, has for its result what it wrote to.
        outputs = [x for x in _flat(result) if isinstance(x, Tensor)] or written
        if outputs:
            self._append(_name_function(func), given, outputs)
        if written:
            self._write_views(self.number_of(written[0]))
        return result

    def _append(self, name: str, given: Any, outputs: Iterable[Tensor]) -> None:
        self.record.calls.append(Call(name, given[0], given[1], tuple(self._add(x) for x in outputs)))

    def _write_views(self, source: int) -> None:
        """Give other tensors that share what was just written, as views of it do, a number for their new
        content."""
        changed = [key for key, x in self._tensors.items() if x._version != self._versions[key]]
        for key in changed:
            self._append("write", ((Slot(source), Slot(self._numbers[key])), {}), [self._tensors[key]])

    def number_of(self, tensor: Tensor) -> int:
        return self._numbers[id(tensor)] if id(tensor) in self._numbers else self._add(tensor)

    def _add(self, tensor: Tensor) -> int:
        # A function in place returns a tensor that has a number: the later one stands for its new content.
        number = self._numbers[id(tensor)] = len(self.record.shapes)
        self.record.shapes[number] = tuple(tensor.shape)
        self._tensors[id(tensor)], self._versions[id(tensor)] = tensor, tensor._version
        return number

    def _name(self, x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        return Weight(self._names[id(x)]) if id(x) in self._names else Slot(self.number_of(x))


def _name_function(func: Any) -> str:
    """The name of a function, or of the property that it reads, such as the transposed matrix `T`."""
    name: str = getattr(func, "__name__", str(func)).strip("_")
    return func.__self__.__name__ if name == "get" else name


def _flat(x: Any) -> Iterable[Any]:
    if isinstance(x, Slot | Weight) or not isinstance(x, tuple | list | Mapping):
        yield x
        return
    for part in x.values() if isinstance(x, Mapping) else x:
        yield from _flat(part)


def _replace(x: Any, replace: Any) -> Any:
    """`x` with its leaves replaced."""
    if isinstance(x, Mapping):
        return {key: _replace(part, replace) for key, part in x.items()}
    if isinstance(x, tuple | list) and not isinstance(x, Slot | Weight):
        return tuple(_replace(part, replace) for part in x)
    return replace(x)
