"""Names for components, and their specs: a component is a frozen dataclass, its spec a name and the
fields. A spec is JSON, never code; what has no name in a registry is written `module:attribute`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from cambrian.errors import UnknownName, UsageError, did_you_mean


class Registry:
    """`Registry("space", {"pnas": "cambrian.spaces.pnas:PNAS"})`: named classes, imported when asked."""

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def names(self) -> list[str]:
        return sorted(self._entries)

    def get(self, name: str) -> Any:
        """The class (or function) called `name`, or what `module:attribute` points at."""
        target = self._entries.get(name, name)
        module, _, attribute = target.partition(":")
        if not attribute:
            raise UnknownName(self.kind, name, self._entries)
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise UsageError(f"cannot load {self.kind} {target!r}: {error}") from error
        return found

    def make(self, spec: str | Mapping[str, Any]) -> Any:
        """The component a spec describes: a name, or `{"name": ..., "arguments": {...}}`."""
        if isinstance(spec, str):
            spec = {"name": spec}
        found = self.get(spec["name"])
        arguments = {k: _tupled(v) for k, v in dict(spec.get("arguments", {})).items()}
        cls = found if isinstance(found, type) else type(found)
        known = [f.name for f in dataclasses.fields(cls) if f.init] if dataclasses.is_dataclass(cls) else []
        for name in arguments:
            if name not in known:
                raise UsageError(
                    f"{self.kind} {spec['name']!r} has no setting {name!r}{did_you_mean(name, known)}"
                )
        if isinstance(found, type):
            return found(**arguments)
        return dataclasses.replace(found, **arguments) if arguments else found

    def spec(self, component: Any) -> dict[str, Any] | None:
        """The inverse of `make`; None where the component cannot be named (defined in a notebook or
        inside a function, or holding what is not JSON), so that it can only run in this process."""
        own = getattr(component, "spec", None)
        if callable(own) and not isinstance(component, type):
            spec: dict[str, Any] | None = own()
            return spec
        cls = type(component)
        target = f"{cls.__module__}:{cls.__qualname__}"
        if cls.__module__ == "__main__" or "<" in cls.__qualname__:
            return None
        name = next((n for n, t in self._entries.items() if t == target), target)
        arguments = {f.name: getattr(component, f.name) for f in dataclasses.fields(component) if f.init}
        if not all(_plain(v) for v in arguments.values()):
            return None
        return {"name": name, "arguments": {k: _listed(v) for k, v in arguments.items()}}


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _plain(v) for k, v in value.items())
    return value is None or isinstance(value, str | int | float | bool)


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_listed(v) for v in value]
    return dict(value) if isinstance(value, Mapping) else value


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value
