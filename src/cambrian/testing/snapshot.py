"""A deep picture of a value, equal exactly when the value has not changed in between."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from cambrian.architecture import Architecture
from cambrian.spaces.space import Space

_PLAIN = (str, int, float, bool, bytes, type(None))


def snapshot(value: Any) -> Any:
    """Nested tuples of the content of `value`: fields, items, arrays' bytes, generators' states. Caches that
    a frozen dataclass keeps beside its fields are left out, and functions stand for themselves."""
    return _picture(value, {})


def _picture(value: Any, seen: dict[int, tuple[int, Any]]) -> Any:
    # NaN is not equal to itself, but unchanged.
    if isinstance(value, float) and value != value:
        return ("nan",)
    if isinstance(value, _PLAIN):
        return (type(value).__name__, value)
    # An object met twice is named by its place, so that cycles end and shared objects stay shared.
    if id(value) in seen:
        return ("seen", seen[id(value)][0])
    seen[id(value)] = (len(seen), value)  # held, so that no other value gets its id
    return (type(value).__qualname__, _content(value, seen))


def _content(value: Any, seen: dict[int, tuple[int, Any]]) -> Any:
    if isinstance(value, Architecture):
        return tuple(value.items())
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, np.random.Generator):
        return _picture(value.bit_generator.state, seen)
    if isinstance(value, Mapping):
        return tuple((_picture(k, seen), _picture(v, seen)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(_picture(v, seen) for v in value)
    if isinstance(value, set | frozenset):
        return tuple(sorted(repr(_picture(v, {})) for v in value))
    return _attributes(value, seen)


def _attributes(value: Any, seen: dict[int, tuple[int, Any]]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value)]
    elif isinstance(value, msgspec.Struct):
        names = list(value.__struct_fields__)
    elif hasattr(value, "detach"):  # a tensor, of a library that need not be installed
        return _picture(value.detach().cpu().numpy(), seen)
    elif hasattr(value, "state_dict"):
        return _picture(dict(value.state_dict()), seen)
    elif isinstance(value, type) or callable(value) or isinstance(value, Space):
        return id(value)
    else:
        names = sorted(getattr(value, "__dict__", ()))
    return tuple((name, _picture(getattr(value, name), seen)) for name in names)
