"""Names for components, and their specs: a component is a frozen dataclass, its spec a name and the
fields. A spec is JSON, never code; what has no name in a registry is written `module:attribute`.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from cambrian.errors import CambrianError, UnknownName, UsageError, did_you_mean

METHODS = {
    "space": ("walk", "build"),
    "strategy": ("start", "propose", "learn"),
    "estimator": ("run",),
    "predictor": ("start",),
}
"""What tells that a component is of its kind: the specs of a run directory name modules, and what lies
in them need not be what they say."""


_REGISTRIES: list[Registry] = []
"""All there are: a component is told its name without importing the registry that has it."""


class Registry:
    """`Registry("space", {"pnas": "cambrian.spaces.cells.pnas:PNAS"})`: named classes, imported late."""

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        _REGISTRIES.append(self)

    def names(self) -> list[str]:
        return sorted(self._entries)

    def name_at(self, target: str) -> str | None:
        """The name of `module:attribute`, where it has one."""
        return next((name for name, entry in self._entries.items() if entry == target), None)

    def target(self, name: str) -> str:
        """The `module:attribute` that `name` stands for; any other name is one itself."""
        return self._entries.get(name, name)

    def get(self, name: str) -> Any:
        """The class (or function) called `name`, or what `module:attribute` points at."""
        target = self.target(name)
        module, _, attribute = target.partition(":")
        if not attribute:
            raise UnknownName(self.kind, name, self._entries)
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except CambrianError:
            raise
        except Exception as error:  # a module of the user's own may raise anything
            raise UsageError(f"cannot load {self.kind} {target!r}: {_cause(error, module)}") from error
        return found

    def make(self, spec: str | Mapping[str, Any]) -> Any:
        """The component a spec describes: a name, or `{"name": ..., "arguments": {...}}`. Raises
        UsageError where there is none of this kind, or where it refuses the arguments."""
        name, arguments = self._read(spec)
        found = self.get(name)
        methods = METHODS.get(self.kind, ())
        if not dataclasses.is_dataclass(found) or not all(callable(getattr(found, m, None)) for m in methods):
            raise self._no_component(name, found)
        known = [f.name for f in dataclasses.fields(found) if f.init]
        for given in arguments:
            if given not in known:
                raise UsageError(f"{self.kind} {name!r} has no setting {given!r}{did_you_mean(given, known)}")
        self._check_types(name, found if isinstance(found, type) else type(found), arguments)
        return self._make(name, found, arguments) if arguments or isinstance(found, type) else found

    def named(self, text: str) -> Any:
        """The component that `NAME`, `NAME(paper)` or `NAME(setting=value, ...)` describes, as on a command
        line; values are JSON, or words."""
        match = re.fullmatch(r"\s*([\w.:-]+)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
        if match is None:
            raise UsageError(
                f"cannot read the {self.kind} {text!r}: write NAME, NAME(paper) or NAME(setting=value, ...)"
            )
        name, inside = match[1], (match[2] or "").strip()
        if inside != "paper":
            given = [_setting(part, self.kind, text) for part in parts(inside)]
            for setting, times in Counter(setting for setting, _ in given).items():
                if times > 1:
                    raise UsageError(f"{self.kind} {text!r} has {setting!r} {times} times: give it once")
            return self.make({"name": name, "arguments": dict(given)})
        found = self.get(name)
        if not hasattr(found, "paper"):
            raise UsageError(f"{self.kind} {name!r} has no settings of a paper's own: leave out '(paper)'")
        return found.paper()

    def _check_types(self, name: str, cls: type, arguments: Mapping[str, Any]) -> None:
        """Raises UsageError for an argument that is not what its field says, as far as that can be told."""
        try:
            hints = get_type_hints(cls)
        except Exception:  # names that only a type checker has
            return
        for setting, value in arguments.items():
            try:
                msgspec.convert(value, hints[setting])
            except msgspec.ValidationError as error:
                words = str(error).replace("`", "").replace("Expected", "expected")
                raise UsageError(f"{self.kind} {name!r}: {setting}={value!r} cannot be: {words}") from None
            except TypeError:  # a type that is no JSON
                continue

    def _make(self, name: str, found: Any, arguments: dict[str, Any]) -> Any:
        try:
            return found(**arguments) if isinstance(found, type) else dataclasses.replace(found, **arguments)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.kind} {name!r} cannot be made of {arguments}: {error}") from error

    def _read(self, spec: object) -> tuple[str, dict[str, Any]]:
        """The name and the arguments a spec holds."""
        spec = {"name": spec} if isinstance(spec, str) else spec
        name = spec.get("name") if isinstance(spec, Mapping) else None
        arguments = spec.get("arguments", {}) if isinstance(spec, Mapping) else None
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise UsageError(
                f"cannot read {spec!r:.80} as a {self.kind}: expected a name, or an object with 'name' and"
                " 'arguments'"
            )
        return name, {str(k): _as_tuple(v) for k, v in arguments.items()}

    def _no_component(self, name: str, found: object) -> UsageError:
        what = found.__name__ if isinstance(found, type) else type(found).__name__
        return UsageError(f"{name!r} is no {self.kind} but {what!r}{did_you_mean(name, self._entries)}")

    def spec(self, component: Any) -> dict[str, Any] | None:
        """The inverse of `make`; None where the component cannot be named (no dataclass, defined in a
        notebook or inside a function, or holding what is not JSON), so that it can only run in this
        process."""
        own = getattr(component, "spec", None)
        if callable(own) and not isinstance(component, type):
            spec: dict[str, Any] | None = own()
            return spec
        cls = type(component)
        target = _target(cls)
        if cls.__module__ == "__main__" or "<" in cls.__qualname__ or not dataclasses.is_dataclass(component):
            return None
        name = self.name_at(target) or target
        arguments = {
            f.name: getattr(component, f.name) for f in dataclasses.fields(component) if _names(f, component)
        }
        if not all(_plain(v) for v in arguments.values()):
            return None
        return {"name": name, "arguments": {k: _as_list(v) for k, v in arguments.items()}}


def name_of(component: object) -> str:
    """The name a component is registered by, for sentences about it; else its class's."""
    names = (registry.name_at(_target(type(component))) for registry in _REGISTRIES)
    return next((name for name in names if name is not None), type(component).__name__)


def _target(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _names(field: dataclasses.Field[Any], component: Any) -> bool:
    """Whether a spec names this setting. One that came "later" is left out at its default, so that a run
    which is older than the setting is the same run."""
    unchanged = field.metadata.get("later") and getattr(component, field.name) == field.default
    return field.init and not unchanged


def parts(text: str) -> list[str]:
    """Parts between the commas that are outside brackets and quotes.

    >>> parts('random, evolution(population=20, sample=5)')
    ['random', 'evolution(population=20, sample=5)']
    """
    found, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0 and not quoted:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found if part.strip()]


def _setting(part: str, kind: str, text: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        raise UsageError(f"cannot read {part!r} in the {kind} {text!r}: write setting=value, or paper alone")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def _cause(error: Exception, module: str) -> str:
    """Why a module cannot be imported, and what to do where it is nowhere to be found."""
    if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
        return (
            f"{error}: put the folder it lies in on the path (PYTHONPATH=FOLDER cambrian ...), or continue"
            " from your own program"
        )
    known = isinstance(error, ImportError | AttributeError)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _plain(v) for k, v in value.items())
    return value is None or isinstance(value, str | int | float | bool)


def _as_list(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_list(v) for v in value]
    return dict(value) if isinstance(value, Mapping) else value


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
