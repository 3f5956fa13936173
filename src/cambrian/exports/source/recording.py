"""A forward, recorded: the torch functions and modules that are called, in order.

A recording is concrete: loops, conditions on shapes and lists of tensors are gone. Two recordings with
different numbers of images tell which whole numbers are a number of images, and which are constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from cambrian.exports.source.constructors import is_torch_module
from cambrian.exports.source.values import Call, Ref, Size, Step, Unwritable


@dataclass
class Recording:
    """`root` is the call of the whole network. `owned` maps parameters' and buffers' numbers to their names,
    `constants` other tensors' numbers to their values; `shapes` are those of all tensors by number."""

    root: Call
    owned: dict[int, str] = field(default_factory=dict)
    constants: dict[int, Tensor] = field(default_factory=dict)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    image: int = -1
    result: Any = None


def record(network: nn.Module, images: Tensor) -> Recording:
    """The forward of `network` for `images`, in the mode that it is in."""
    recorder = _Recorder(network)
    with torch.inference_mode(False), torch.no_grad(), recorder.hooks(), recorder:
        recorder.recording.image = recorder.name(images)
        output = network(images)
    recorder.recording.result = recorder.tree(output)
    return recorder.recording


class _Recorder(TorchFunctionMode):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network
        self._held: list[Tensor] = []  # kept alive: a tensor is known by its id, which would be used again
        self._numbers: dict[int, int] = {}
        self._within = 0  # modules of torch.nn that are running: their own steps are not recorded
        self.recording = Recording(Call("", network))
        self._calls: list[Call] = []
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            self.recording.owned[self.name(tensor)] = name

    def name(self, tensor: Tensor) -> int:
        """A new number for `tensor`; an older one, where there is one, stays valid for the same memory."""
        number = len(self._held)
        self._held.append(tensor)
        self._numbers[id(tensor)] = number
        self.recording.shapes.append(tuple(tensor.shape))
        return number

    def tree(self, value: Any) -> Any:
        """`value` with its tensors replaced by their numbers."""
        if isinstance(value, Tensor):
            if id(value) not in self._numbers:
                self.recording.constants[self.name(value)] = value
            return Ref(self._numbers[id(value)])
        return _rebuild(value, self.tree)

    def _outputs(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return Ref(self.name(value))
        return _rebuild(value, self._outputs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._within or not self._calls:
            return func(*args, **kwargs)
        # Before the call: a function that works in place must not give its argument a new number first.
        before = (self.tree(tuple(args)), self.tree(kwargs))
        value = func(*args, **kwargs)
        outputs = self._outputs(value)
        name = resolve_name(func) or repr(func)
        if _has_tensor(value) or changes_its_argument(name):
            self._calls[-1].items.append(Step(name, "", *before, outputs))
        return value

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Record the calls of the network's modules, inside."""
        handles = []
        for path, module in self._network.named_modules():
            enter, leave = self._leaf(path) if is_torch_module(module) else self._scope(path)
            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _leaf(self, path: str) -> tuple[Any, Any]:
        before: list[Any] = []

        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            if not self._within:
                before.append((self.tree(tuple(args)), self.tree(kwargs)))
            self._within += 1

        def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self._within -= 1
            if not self._within:
                args, kwargs = before.pop()
                self._place().append(Step("", path, args, kwargs, self._outputs(output)))

        return enter, leave

    def _place(self) -> list[Step | Call]:
        # A network that is a single module of torch.nn has no call around it.
        return self._calls[-1].items if self._calls else self.recording.root.items

    def _scope(self, path: str) -> tuple[Any, Any]:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            if self._within:
                return
            call = Call(path, module) if self._calls else self.recording.root
            call.arguments = self._arguments(module, args, kwargs)
            if self._calls:
                self._calls[-1].items.append(call)
            self._calls.append(call)

        def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            if not self._within:
                self._calls.pop()

        return enter, leave

    def _arguments(self, module: nn.Module, args: Any, kwargs: Any) -> Mapping[str, Any]:
        try:
            bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        except (TypeError, ValueError):
            bound = dict(kwargs)
        return {name: self.tree(value) for name, value in bound.items()}


def changes_its_argument(function: str) -> bool:
    """Whether a torch function works in place, by its name."""
    name = function.rpartition(".")[2]
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def merge(first: Recording, second: Recording) -> Recording:
    """The first recording, with numbers that differ in the second as `Size`. Raises Unwritable where the two
    differ in more than sizes: then the forward decides by the number of images, or by their content."""
    merged = _merge_calls(first.root, second.root)
    result = _merge_trees(first.result, second.result)
    return Recording(merged, first.owned, first.constants, first.shapes, first.image, result)


def _merge_calls(one: Call, other: Call) -> Call:
    if one.path != other.path or len(one.items) != len(other.items):
        raise _differ(one.path)
    arguments = {k: _merge_trees(v, other.arguments.get(k)) for k, v in one.arguments.items()}
    items = [_merge_items(a, b) for a, b in zip(one.items, other.items)]
    return Call(one.path, one.module, arguments, items)


def _merge_items(one: Step | Call, other: Step | Call) -> Step | Call:
    if isinstance(one, Call) and isinstance(other, Call):
        return _merge_calls(one, other)
    if (
        isinstance(one, Step)
        and isinstance(other, Step)
        and (one.function, one.path)
        == (
            other.function,
            other.path,
        )
    ):
        args, kwargs = _merge_trees(one.args, other.args), _merge_trees(one.kwargs, other.kwargs)
        return Step(one.function, one.path, args, kwargs, _merge_trees(one.outputs, other.outputs))
    raise _differ(one.path)


def _merge_trees(one: Any, other: Any) -> Any:
    if type(one) is int and type(other) is int and one != other:
        return Size(one, other)
    if isinstance(one, slice) and isinstance(other, slice):
        parts = [(one.start, other.start), (one.stop, other.stop), (one.step, other.step)]
        return slice(*(_merge_trees(a, b) for a, b in parts))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return type(one)(_merge_trees(a, b) for a, b in zip(one, other))
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {k: _merge_trees(v, other[k]) for k, v in one.items()}
    if type(one) is not type(other) or one != other:
        raise _differ("")
    return one


def _differ(path: str) -> Unwritable:
    place = f" of {path}" if path else ""
    return Unwritable(
        f"its forward{place} takes another way for another number of images, or for other images"
    )


def _rebuild(value: Any, change: Callable[[Any], Any]) -> Any:
    """A plain copy of a nested value, with `change` applied to its parts."""
    if isinstance(value, list):
        return [change(v) for v in value]
    if isinstance(value, tuple):  # torch.Size and named tuples become plain ones
        return tuple(change(v) for v in value)
    if isinstance(value, dict):
        return {k: change(v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(change(value.start), change(value.stop), change(value.step))
    return value


def _has_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_tensor, value))
    return isinstance(value, Tensor)
