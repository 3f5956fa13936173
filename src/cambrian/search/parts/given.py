"""What is given for the settings of a search: their names and types, checked before anything reads them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from cambrian.errors import UsageError, did_you_mean
from cambrian.options import shorten
from cambrian.outcome import Fidelity
from cambrian.problem import Objective

P = ParamSpec("P")
R = TypeVar("R")

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "fidelity": (Fidelity, "a Fidelity, such as cambrian.Fidelity(epochs=3)"),
    "device": (str, "a text, such as 'cpu'"),
    "limits": (Mapping, "a dictionary, such as {'params': 1e6}"),
    "minimize": (bool, "True or False"),
    "estimators": (Mapping, "a dictionary, such as {'train': 'train'}"),
    "objectives": ((list, tuple), "a list, such as ['latency', '-params']"),
    "choose": (str, "a text, such as 'latency<5ms'"),
    "order": (str, "a text, 'number' or 'arrival'"),
    "recipe": (Mapping, "a dictionary, such as {'batch_size': 32}"),
    "changes": (Mapping, "a dictionary, such as {'epochs': 3}"),
    "baselines": ((list, tuple), "a list, such as ['random']"),
}
"""By the name of a setting, of `plan` too, its types, and what these are in words."""
_INNER: dict[str, tuple[type | tuple[type, ...], str]] = {
    "limits": (str, "the name of a measure, such as 'params'"),
    "estimators": (str, "a name, as 'train'"),
    "objectives": ((str, Objective), "the name of a metric, such as 'latency'"),
    "recipe": (str, "the name of a setting, such as 'batch_size'"),
    "changes": (str, "the name of a setting, such as 'epochs'"),
    "baselines": (str, "the name of a network, such as 'random'"),
}
"""The same of the keys of a dictionary, and of what is in a list."""


def check_types(**settings: Any) -> None:
    """Raises UsageError for the first setting that has another type than it is read as; None is one left
    open."""
    for name, value in settings.items():
        if value is None or name not in _TYPES:
            continue
        types, words = _TYPES[name]
        if not isinstance(value, types):
            raise UsageError(f"{name} is {words}, got {shorten(value)}")
        if name not in _INNER:
            continue
        inner, words = _INNER[name]
        parts: Any = value
        wrong = [each for each in parts if not isinstance(each, inner)]
        if wrong:
            raise UsageError(f"{name}: expected {words}, got {shorten(wrong[0])}")


def check_names(what: str, given: Collection[str], valid: Collection[str]) -> None:
    """Raises UsageError for the first setting that `what` does not have, with the nearest one."""
    for name in given:
        if name not in valid:
            raise UsageError(f"{what} has no setting {name!r}{did_you_mean(name, valid)}")


def refuse_unknown(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Names the nearest setting where a call of the function has one that it does not know. Python's own
    TypeError says which it was, and not which was meant."""

    def guard(function: Callable[P, R]) -> Callable[P, R]:
        _, *valid = inspect.signature(function).parameters  # without self

        @wraps(function)
        def guarded(*arguments: P.args, **settings: P.kwargs) -> R:
            check_names(what, settings, valid)
            return function(*arguments, **settings)

        return guarded

    return guard
