"""The code of a component that a user wrote, as hashes by name, from which a run notices an edit.

Bytecode is hashed, not text: comments, formatting, docstrings and the names of local variables do not count.
Functions, classes and constants that it refers to count as far as they are the user's own; of a library's,
only the name does.
"""

from __future__ import annotations

import dis
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

VERSION = ".".join(map(str, sys.version_info[:2]))
"""The version of Python, with which bytecode changes: hashes of another one cannot be compared."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
_SKIPPED = {
    *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__", "__annotate__"),
    *("__firstlineno__", "__static_attributes__", "__parameters__", "__orig_bases__", "__abstractmethods__"),
    *("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__annotate_func__", "_abc_impl"),
}


def code_parts(component: object) -> dict[str, str]:
    """A hash by "module:name" for each function, class and constant of the user's own in the component; none
    for those of cambrian."""
    function = getattr(component, "function", None)
    begin = function if isinstance(function, FunctionType) else type(component)
    walk = _Parts(begin.__module__.partition(".")[0])
    walk.text(begin)
    return dict(sorted(part for part in walk.parts.items() if part[0] not in walk.changing))


def find_edits(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names whose code changed, or that are used no more, or newly."""
    return [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]


class _Parts:
    """A walk along references, from a component on; `parts` are the hashes of the code on its way. `package`
    is the user's."""

    def __init__(self, package: str) -> None:
        self.parts: dict[str, str] = {}
        self.changing: set[str] = set()  # variables of modules that one of the functions assigns to
        self._package = package
        self._names: dict[int, str] = {}  # of functions and classes under way or done: circles end here

    def text(self, value: Any) -> str:
        """A text that differs for values that differ."""
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, tuple | list):
            return f"{type(value).__name__}({self._join(value)})"
        if isinstance(value, set | frozenset):
            return f"set({', '.join(sorted(map(self.text, value)))})"
        if isinstance(value, Mapping):
            return f"dict({self._join(value.items())})"
        if isinstance(value, FunctionType | type):
            return self._name(value)
        return self._text_within(value)

    def _text_within(self, value: Any) -> str:
        if isinstance(value, ModuleType):
            return value.__name__
        if isinstance(value, staticmethod | classmethod | MethodType):
            return self.text(value.__func__)
        if isinstance(value, property):
            return self._join((value.fget, value.fset))
        if isinstance(value, partial):
            return self._join((value.func, value.args, value.keywords))
        for name in ("function", "__wrapped__"):  # another space, or a function behind a cache
            if isinstance(vars(value).get(name) if hasattr(value, "__dict__") else None, FunctionType):
                return self.text(vars(value)[name])
        return self._name(type(value))  # an object's state is not code

    def _join(self, values: Iterable[Any]) -> str:
        return ", ".join(map(self.text, values))

    def _name(self, value: Any) -> str:
        """The name of a function or class, its contents among the parts where it is the user's own."""
        if not self._is_users(value.__module__):
            return f"{value.__module__}:{value.__qualname__}"
        if id(value) not in self._names:
            name = self._names[id(value)] = self._free(f"{value.__module__}:{value.__qualname__}")
            # The name is taken before its contents are walked, so that a lambda within gets another one.
            self.parts[name] = ""
            self.parts[name] = _hash(self._class(value) if isinstance(value, type) else self._function(value))
        return self._names[id(value)]

    def _free(self, name: str) -> str:
        """A name that is not taken yet: all lambdas of one place have the same."""
        number = sum(known.partition("#")[0] == name for known in self.parts)
        return f"{name}#{number + 1}" if number else name

    def _class(self, cls: type) -> str:
        members = sorted((k, v) for k, v in vars(cls).items() if k not in _SKIPPED and not _is_made(v))
        return f"{self._join(cls.__bases__)}; {self._join(members)}"

    def _function(self, function: FunctionType) -> str:
        code = function.__code__
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        # Variables that the code itself changes while it runs are state, which an edit does not explain.
        stored = set(_find_stored(code))
        held = [self._value(n, _content(cell)) for n, cell in cells if n not in stored]
        defaults = self._join((function.__defaults__, function.__kwdefaults__))
        return f"{self._code(code, function.__globals__)}; {defaults}; {held}"

    def _code(self, code: CodeType, names: Mapping[str, Any]) -> str:
        constants = code.co_consts[1:] if _has_docstring_place(code) else code.co_consts
        texts = [self._code(c, names) if isinstance(c, CodeType) else self.text(c) for c in constants]
        self._look_up(code, names)
        return f"{code.co_code.hex()} {code.co_names} {texts}"

    def _look_up(self, code: CodeType, names: Mapping[str, Any]) -> None:
        """Add the constants and functions that the code names, in its module or another one of the user's."""
        here = str(names.get("__name__"))
        spaces = [(here, names)]
        modules = [names[n] for n in code.co_names if isinstance(names.get(n), ModuleType)]
        spaces += [(module.__name__, vars(module)) for module in modules]
        stored = set(_find_stored(code))
        self.changing |= {f"{here}:{name}" for name in _find_stored(code, "STORE_GLOBAL")}
        for module, inside in spaces:
            for name in code.co_names if self._is_users(module) else ():
                if name in inside and name not in stored:
                    self._constant(f"{module}:{name}", name, inside[name])

    def _constant(self, path: str, name: str, value: Any) -> None:
        text = self._value(name, value)
        if text and not isinstance(value, FunctionType | type | ModuleType):
            self.parts[path] = _hash(text)

    def _value(self, name: str, value: Any) -> str:
        """The text of the value of that name; empty for a container whose name is not a constant's, since the
        program may fill it while it runs."""
        text = self.text(value)
        return "" if isinstance(value, list | dict | set) and not name.isupper() else text

    def _is_users(self, module: str | None) -> bool:
        """Whether the module is the user's: not cambrian's, the standard library's or an installed
        library's."""
        top = str(module).partition(".")[0]
        if module not in sys.modules or top in {"cambrian", *sys.stdlib_module_names} - {"__main__"}:
            return False
        file = getattr(sys.modules[module], "__file__", None) or ""
        installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
        return top == self._package or not installed


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _find_stored(code: CodeType, *operations: str) -> Iterator[str]:
    """Names of an outer scope to which the code, or a function in it, assigns values while it runs."""
    for step in dis.get_instructions(code):
        if step.opname in (operations or ("STORE_GLOBAL", "STORE_DEREF")):
            yield str(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _find_stored(constant, *operations)


def _has_docstring_place(code: CodeType) -> bool:
    """Whether the first constant is a function's docstring, or None in its place."""
    first = code.co_consts[0] if code.co_consts else ""
    # From 3.13 a flag says so (CO_HAS_DOCSTRING); before, the first constant of a function is always the
    # place.
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & 0x4000000)
    return not code.co_name.startswith("<") and (first is None or isinstance(first, str))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a name that is not yet bound
        return None


def _is_made(member: object) -> bool:
    """Whether a member of a class is generated: slots, and the methods of dataclasses."""
    code = getattr(member, "__code__", None)
    kinds = ("getset_descriptor", "member_descriptor", "wrapper_descriptor")
    return type(member).__name__ in kinds or (code is not None and code.co_filename == "<string>")
