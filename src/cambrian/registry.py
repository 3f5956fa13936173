"""Names of components, and their specs: a component is a frozen dataclass, its spec a name and the
fields. A spec is JSON, never code; a component without a name in a registry is written `module:attribute`.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import sys
from collections.abc import Mapping
from functools import cache
from inspect import isroutine
from types import ModuleType
from typing import Any, get_type_hints

import msgspec

from cambrian.errors import CambrianError, UnknownName, UsageError, did_you_mean
from cambrian.spec_text import parts, read_arguments, split_call
from cambrian.type_words import describe_mismatch
from cambrian.user_code import find_place

METHODS = {
    "space": ("walk", "build"),
    "strategy": ("start", "propose", "learn"),
    "estimator": ("run",),
    "predictor": ("start",),
    "curve model": ("start",),
    "supernet method": ("step",),
    "engine": ("start", "submit", "wait", "cancel", "close"),
}
"""The methods that a component of each kind has. A spec in a run directory may name any module, so the
object that it leads to is checked."""


_REGISTRIES: list[Registry] = []
"""All registries, so that `name_of` finds a component's name without importing the registry that has it."""


class Registry:
    """`Registry("space", {"pnas": "cambrian.spaces.cells.pnas:PNAS"})`: named classes, imported late."""

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        _REGISTRIES.append(self)

    def names(self) -> list[str]:
        return sorted(self._entries)

    def name_at(self, target: str) -> str | None:
        """The name of `module:attribute`; None if it does not have one."""
        return next((name for name, entry in self._entries.items() if entry == target), None)

    def target(self, name: str) -> str:
        """The `module:attribute` of a registered name; any other name is returned as it is."""
        return self._entries.get(name, name)

    def get(self, name: str) -> Any:
        """The class, function or component called `name`, or at `module:attribute`. Raises UnknownName or
        UsageError if there is none."""
        target = self.target(name)
        module, _, attribute = target.partition(":")
        if not attribute:
            raise UnknownName(self.kind, name, self._entries)
        try:
            target_object: Any = _import(module)
            for part in attribute.split("."):
                target_object = getattr(target_object, part)
        except CambrianError as error:  # such as MissingExtra: it names the remedy already
            _name_place(error)
            raise
        except (Exception, SystemExit) as error:  # a module of the user's own may raise anything, and exit
            place = find_place(error)
            cause = f"{place}: {_cause(error, module)}" if place else _cause(error, module)
            near = "" if place else _find_near(error)
            raise UsageError(f"cannot load {self.kind} {target!r}: {cause}{near}") from error
        return target_object

    def make(self, spec: str | Mapping[str, Any]) -> Any:
        """The component that a spec describes: a name, a text as on the command line (see `parse`), or
        `{"name": ..., "arguments": {...}}`. Raises UsageError if no component of this kind has that name, or
        if it refuses the arguments."""
        if isinstance(spec, str) and "(" in spec:
            return self.parse(spec)
        name, arguments = self._read(spec)
        # An entry is a class, or a component already made (`mlp:PAPER`), which arguments then alter.
        return self._alter(name, self.get(name), arguments)

    def _alter(self, name: str, entry: Any, arguments: dict[str, Any]) -> Any:
        """The component of the class `entry`, or like the component `entry`, with these settings."""
        methods = METHODS.get(self.kind, ())
        if not dataclasses.is_dataclass(entry) or not all(callable(getattr(entry, m, None)) for m in methods):
            raise self._no_component(name, entry)
        valid = [f.name for f in dataclasses.fields(entry) if f.init]
        for setting in arguments:
            if setting not in valid:
                raise UsageError(
                    f"{self.kind} {name!r} has no setting {setting!r}{did_you_mean(setting, valid)}"
                )
        self._check_types(name, entry if isinstance(entry, type) else type(entry), arguments)
        return self._make(name, entry, arguments) if arguments or isinstance(entry, type) else entry

    def parse(self, text: str) -> Any:
        """The component that a text from the command line describes: `NAME`, `NAME(setting=value, ...)`,
        `NAME(paper)` or `NAME(paper, setting=value, ...)`, which are the paper's settings but for these.
        Values are JSON, or words."""
        name, inside = split_call(text, self.kind)
        if parts(inside)[:1] != ["paper"]:
            return self.make(self.read(text))
        entry = self.get(name)
        if not hasattr(entry, "paper"):
            raise UsageError(f"{self.kind} {name!r} has no settings of a paper's own: leave out 'paper'")
        others = read_arguments(inside.removeprefix("paper"), self.kind, text)
        _, arguments = self._read({"name": name, "arguments": others})
        return self._alter(name, entry.paper(), arguments)

    def read(self, text: str) -> dict[str, Any]:
        """The spec of `NAME` or `NAME(setting=value, ...)`."""
        name, inside = split_call(text, self.kind)
        return {"name": name, "arguments": read_arguments(inside, self.kind, text)}

    def _check_types(self, name: str, cls: type, arguments: Mapping[str, Any]) -> None:
        """Raises UsageError for an argument that does not have its field's type, as far as that can be
        checked."""
        try:
            hints = _read_types(cls)
        except Exception:  # names that only a type checker has
            return
        for setting, value in arguments.items():
            try:
                msgspec.convert(value, hints[setting])
            except msgspec.ValidationError as error:
                words = describe_mismatch(error)
                raise UsageError(f"{self.kind} {name!r}: {setting}={value!r} cannot be: {words}") from None
            except TypeError:  # a type that JSON does not have: the component checks it itself
                continue

    def _make(self, name: str, entry: Any, arguments: dict[str, Any]) -> Any:
        try:
            return entry(**arguments) if isinstance(entry, type) else dataclasses.replace(entry, **arguments)
        except CambrianError:  # such as DataError, which is a ValueError too
            raise
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.kind} {name!r} cannot be made of {arguments}: {error}") from error

    def _read(self, spec: object) -> tuple[str, dict[str, Any]]:
        """The name and the arguments in a spec."""
        spec = {"name": spec} if isinstance(spec, str) else spec
        name = spec.get("name") if isinstance(spec, Mapping) else None
        arguments = spec.get("arguments", {}) if isinstance(spec, Mapping) else None
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise UsageError(
                f"cannot read {spec!r:.80} as a {self.kind}: expected a name, or an object with 'name' and"
                " 'arguments'"
            )
        beside = sorted(map(str, spec.keys() - {"name", "arguments"})) if isinstance(spec, Mapping) else []
        if beside:
            raise UsageError(
                f"{self.kind} {name!r}: settings stand under 'arguments', and {beside[0]!r} is beside them"
            )
        # Settings are frozen values: a list from JSON becomes a tuple, so that a component can be hashed.
        return name, {str(k): _as_tuple(v) for k, v in arguments.items()}

    def _no_component(self, name: str, entry: object) -> UsageError:
        cls = entry.__name__ if isinstance(entry, type) else type(entry).__name__
        what = "a function" if isroutine(entry) else repr(cls)
        return UsageError(f"{name!r} is no {self.kind} but {what}{self._explain_none(entry)}")

    def _explain_none(self, entry: object) -> str:
        """What would make a component of the object, as the end of a sentence."""
        if isroutine(entry) and self.kind == "space":
            return ": write @cambrian.space above it, or, if it makes a network, give it as the model"
        if isroutine(entry):
            return ""
        lacking = [m for m in METHODS.get(self.kind, ()) if not callable(getattr(entry, m, None))]
        if lacking:
            return f": it lacks {', '.join(lacking)}"
        return ": it is no dataclass; write @dataclass(frozen=True) above its class"

    def spec(self, component: Any) -> dict[str, Any] | None:
        """The inverse of `make`; None for a component without a spec (not a dataclass, defined in a
        notebook or inside a function, or with fields that are not JSON), which can only run in this
        process."""
        # A function space describes itself: its field holds a function, of which only the name is JSON.
        own = getattr(component, "spec", None)
        if callable(own) and not isinstance(component, type):
            spec: dict[str, Any] | None = own()
            return spec
        cls = type(component)
        target = _target(cls)
        # Another process finds neither `__main__` nor a class inside a function ("<locals>") by its name.
        if cls.__module__ == "__main__" or "<" in cls.__qualname__ or not dataclasses.is_dataclass(component):
            return None
        name = self.name_at(target) or target
        arguments = {
            f.name: getattr(component, f.name) for f in dataclasses.fields(component) if _names(f, component)
        }
        if not all(_plain(v) for v in arguments.values()):
            return None
        return {"name": name, "arguments": {k: _as_list(v) for k, v in arguments.items()}}


def find_registry(kind: str) -> Registry:
    """The registry of that kind. A component that holds another one of its own kind finds it so, since it
    cannot import the package whose registry names it."""
    return next(registry for registry in _REGISTRIES if registry.kind == kind)


def name_of(component: object) -> str:
    """The name of a component for sentences about it: the registered one, that of the user's function that it
    runs, or else of its class."""
    function = getattr(component, "function", None)
    if isinstance(function, str) or isroutine(function):
        return function if isinstance(function, str) else function.__name__
    names = (registry.name_at(_target(type(component))) for registry in _REGISTRIES)
    return next((name for name in names if name is not None), type(component).__name__)


# Reading annotations takes ten times as long as making most components.
_read_types = cache(get_type_hints)


def _target(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _names(field: dataclasses.Field[Any], component: Any) -> bool:
    """Whether a spec names this setting. A setting that was added "later" is left out at its default, so that
    a run from before it has the same spec."""
    unchanged = field.metadata.get("later") and getattr(component, field.name) == field.default
    return field.init and not unchanged


def _import(module: str) -> ModuleType:
    """The module, also of the working folder, which an installed command does not have on its path."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        # Last on the path, so that a file of the user's never takes the place of an installed module.
        if error.name != module.partition(".")[0] or here in sys.path:
            raise
        sys.path.append(here)
        return importlib.import_module(module)


def _name_place(error: CambrianError) -> None:
    """Begin the sentence of an error with the line of the user's module that raised it while it was
    imported."""
    place = find_place(error)
    # A module that loads another one by its name has it twice on the way.
    if place and error.args and not str(error).startswith(place):
        error.args = (f"{place}: {error.args[0]}", *error.args[1:])


def _cause(error: BaseException, module: str) -> str:
    """The reason why a module cannot be imported, with a remedy if it was not found."""
    if isinstance(error, ModuleNotFoundError) and module.endswith(".py"):
        folder, _, file = module.rpartition("/")
        path = f", with PYTHONPATH={folder} before the command" if folder else ""
        return f"a module is named without .py: write {file.removesuffix('.py')}:NAME{path}"
    # Only the module itself or its top package: one that it imports in turn is another fault.
    if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
        return (
            f"{error}: work in its folder, or put that on the path (PYTHONPATH=FOLDER cambrian ...), or"
            " continue from your own program"
        )
    clear = isinstance(error, ImportError | AttributeError)  # their messages name the missing thing
    return str(error) if clear else f"{type(error).__name__}: {error}"


def _find_near(error: BaseException) -> str:
    """The name in a module that is nearest to one that it does not have, as the end of a sentence."""
    if not isinstance(error, AttributeError) or not isinstance(error.obj, ModuleType):
        return ""
    names = [name for name in vars(error.obj) if not name.startswith("_")]
    near = difflib.get_close_matches(error.name or "", names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


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
