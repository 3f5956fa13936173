"""Functions that remember: tests that plan the same networks again and again count each of them once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def remember(function: Callable[..., T], key: Callable[..., Hashable]) -> Callable[..., T]:
    """The function, called once for each `key` of its arguments, of which its result must be a function."""
    known: dict[Hashable, T] = {}

    @wraps(function)
    def call(*arguments: Any) -> T:
        name = key(*arguments)
        if name not in known:
            known[name] = function(*arguments)
        return known[name]

    return call


def shape_of(task: Any) -> tuple[int, int, int, int]:
    """All of a task that a network's size depends on."""
    return task.channels, task.height, task.width, task.classes
