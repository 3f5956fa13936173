"""The call that makes a module of torch.nn again, found by making one and comparing."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch
from torch import nn

from cambrian.exports.source.layout import quote

_UNSAID = ("device", "dtype")
_ELSEWHERE = {"bias": "in_proj_bias", "add_bias_kv": "bias_k"}
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
_BARE = ("__init__", "__doc__", "__module__", "__qualname__", "__annotations__", "extra_repr", "__repr__")
_BARE_BY_PYTHON = ("__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__")
"""Names in a class that leave the forward of the class below it as it is."""


def is_torch_module(module: nn.Module) -> bool:
    """Whether the module is one of torch.nn's, and can be made anew by its arguments."""
    return construct_text(module) is not None


def construct_text(module: nn.Module) -> str | None:
    """The call, such as `nn.Conv2d(3, 8, kernel_size=(3, 3), bias=False)`; None where there is none."""
    kind = torch_kind(module)
    if kind is None or kind in _CONTAINERS or kind is nn.Module:
        return None
    arguments = _arguments(kind, module)
    if arguments is None or not _is_same(kind, arguments[1], module):
        return None
    return f"nn.{kind.__name__}({', '.join(arguments[0])})"


def torch_kind(module: nn.Module) -> type[Any] | None:
    """The class of torch.nn that the module is, or that its own class does not change."""
    for kind in type(module).__mro__:
        if vars(nn).get(kind.__name__) == kind:
            return kind
        # A class of one's own that only names its arguments is torch's class.
        if not all(name in _BARE + _BARE_BY_PYTHON for name in vars(kind)):
            return None
    return None


def _arguments(kind: type[Any], module: nn.Module) -> tuple[list[str], dict[str, Any]] | None:
    """The arguments that are not the defaults, as text, and all of them; None where one is unknown."""
    texts, values = [], {}
    for name, parameter in _parameters(kind):  # type: ignore[arg-type]  # a class can be hashed
        if name in _UNSAID or name.startswith("_"):
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = _read(module, name)
        if value is _read:
            return None
        values[name] = value
        if not _is_plain(value):
            return None
        if parameter.default is parameter.empty:
            texts.append(quote(value))
        elif value != parameter.default and not _is_pair_of(value, parameter.default):
            texts.append(f"{name}={quote(value)}")
    return texts, values


@cache  # reading a signature takes longer than all else that is done with it
def _parameters(kind: type[Any]) -> tuple[tuple[str, inspect.Parameter], ...]:
    # Recurrent modules pass their arguments on: those of the class below count.
    for base in kind.__mro__:
        parameters = inspect.signature(base).parameters
        if not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
            # Their class says the mode.
            return tuple((n, p) for n, p in parameters.items() if base is not nn.RNNBase or n != "mode")
    return ()


def _read(module: nn.Module, name: str) -> Any:
    """The argument's value, kept as an attribute of its name; `_read` itself where it is not."""
    value = getattr(module, name, getattr(module, _ELSEWHERE.get(name, name), _read))
    if name in ("bias", "add_bias_kv") and (value is None or isinstance(value, torch.Tensor)):
        return value is not None  # kept as the parameter itself
    return value


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _is_pair_of(value: object, default: object) -> bool:
    """Whether a setting for each axis says the same as a single default, as stride=(1, 1) does."""
    return isinstance(value, tuple) and len(value) > 0 and all(v == default for v in value)


def _is_same(kind: type[Any], values: dict[str, Any], module: nn.Module) -> bool:
    """Whether a new module of these arguments has the same settings, parameters and buffers."""
    try:
        with torch.device("meta"):
            other = kind(**values)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        return False
    return _settings(other) == _settings(module) and _shapes(other) == _shapes(module)


def _settings(module: nn.Module) -> dict[str, Any]:
    return {
        k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training" and _is_plain(v)
    }


def _shapes(module: nn.Module) -> dict[str, Any]:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: (tuple(t.shape), t.dtype) for name, t in tensors}
