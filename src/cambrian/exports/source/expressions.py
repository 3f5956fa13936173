"""A step as a line of Python: `left = F.relu(x)`, `y = x + left`, `out, (h, c) = self.lstm(x)`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch

from cambrian.exports.source.layout import Group, quote
from cambrian.exports.source.values import Ref, Size, Step, Unwritable

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "true_divide": "/", "matmul": "@", "pow": "**"}
_INFIX |= {
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
    "__and__": "&",
    "__or__": "|",
}
_INFIX |= {"floor_divide": "//", "remainder": "%"}
_SWAPPED = {"__rsub__": "-", "__rdiv__": "/", "__rtruediv__": "/", "__rpow__": "**", "__rmatmul__": "@"}
_AUGMENTED = {"add_": "+=", "sub_": "-=", "mul_": "*=", "div_": "/="}
_UNSAID = ("_stacklevel",)
_PLAIN = (bool, int, float, str)

Name = Callable[[int], str]


class Writer:
    """Writes arguments. `name` gives the text of a tensor, `size` that of a number of images or the like,
    `device` that of the device at hand."""

    def __init__(self, name: Name, size: Callable[[Size], str], device: Callable[[], str]) -> None:
        self._name, self._size, self._device = name, size, device

    def value(self, tree: Any) -> str:
        if isinstance(tree, Ref):
            return self._name(tree.number)
        if isinstance(tree, Size):
            return self._size(tree)
        if isinstance(tree, Training):
            return "self.training"
        if isinstance(tree, torch.device):  # that of the recording
            return self._device()
        if isinstance(tree, tuple):
            inner = ", ".join(map(self.value, tree))
            return f"({inner},)" if len(tree) == 1 else f"({inner})"
        if isinstance(tree, list):
            return f"[{', '.join(map(self.value, tree))}]"
        return _literal(tree)

    def index(self, tree: Any) -> str:
        """The text between square brackets."""
        if isinstance(tree, slice):
            ends = ["" if v is None else self.value(v) for v in (tree.start, tree.stop)]
            return ":".join(ends) + ("" if tree.step is None else f":{self.value(tree.step)}")
        if isinstance(tree, tuple) and tree:
            return ", ".join(map(self.index, tree)) + ("," if len(tree) == 1 else "")
        return "..." if tree is Ellipsis else self.value(tree)

    def call(self, function: str, args: Any, kwargs: Mapping[str, Any]) -> Group:
        named = [f"{k}={self.value(v)}" for k, v in kwargs.items()]
        return Group(f"{function}(", [*map(self.value, args), *named], ")")

    def expression(self, step: Step) -> Group | str:
        """The call of a torch function. Raises Unwritable for one that has no public name."""
        args, name = list(step.args), step.function.removeprefix("torch.Tensor.")
        if name == step.function:
            return self.call(_function(name), args, _kwargs(step))
        if name.endswith(".__get__"):
            return f"{self.value(args[0])}.{name.removesuffix('.__get__')}"
        if name == "__getitem__":
            return f"{self.value(args[0])}[{self.index(args[1])}]"
        if len(args) == 2 and not step.kwargs and name in _INFIX:
            return f"{self.value(args[0])} {_INFIX[name]} {self.value(args[1])}"
        if len(args) == 2 and name in _SWAPPED:
            return f"{self.value(args[1])} {_SWAPPED[name]} {self.value(args[0])}"
        if name.startswith("__"):
            raise Unwritable(f"it uses Tensor.{name}, which has no form in writing here")
        return self.call(f"{self.value(args[0])}.{name}", args[1:], step.kwargs)

    def augmented(self, step: Step) -> str | None:
        """The statement `x += y` or `x[i] = y`; None where the step is another one."""
        name = step.function.removeprefix("torch.Tensor.")
        if name == "__setitem__":
            target, index, value = step.args
            return f"{self.value(target)}[{self.index(index)}] = {self.value(value)}"
        if name in _AUGMENTED and len(step.args) == 2 and not step.kwargs:
            return f"{self.value(step.args[0])} {_AUGMENTED[name]} {self.value(step.args[1])}"
        return None


def _literal(value: Any) -> str:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    if value is None or type(value) in _PLAIN:
        return quote(value)
    if isinstance(value, torch.dtype | torch.memory_format | torch.layout):
        return str(value)
    if value is Ellipsis:
        return "..."
    raise Unwritable(f"it passes a {type(value).__name__} to a torch function")


@functools.cache
def _function(name: str) -> str:
    """The text by which a file that imports torch and `torch.nn.functional as F` calls a function."""
    owner: Any = torch
    for part in name.split(".")[1:]:
        owner = getattr(owner, part, None)
    if not name.startswith("torch.") or owner is None or "._" in name:
        raise Unwritable(f"it calls {name}, which is not a public function of torch")
    return name.replace("torch.nn.functional.", "F.")


def _kwargs(step: Step) -> dict[str, Any]:
    """The named arguments that are not the defaults. A function that works otherwise in training is called
    in the mode of the class, since the recording was made in evaluation."""
    defaults = _defaults(step.function)
    kwargs = {k: v for k, v in step.kwargs.items() if k not in _UNSAID and not _is_default(v, defaults, k)}
    if step.kwargs.get("training", True) is False:
        kwargs["training"] = Training()
    return kwargs


class Training:
    """The mode of the class that is written."""


def _is_default(value: Any, defaults: Mapping[str, Any], name: str) -> bool:
    return name in defaults and type(value) is type(defaults[name]) and bool(value == defaults[name])


@functools.cache
def _defaults(function: str) -> dict[str, Any]:
    owner: Any = torch
    for part in function.split(".")[1:]:
        owner = getattr(owner, part, None)
    try:
        parameters = inspect.signature(owner).parameters.values()
    except (TypeError, ValueError):  # a function in C has no signature
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}
