"""A strategy that another one holds as a setting: an object, a name with settings as on the command line, or
a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.errors import UsageError
from cambrian.registry import find_registry, name_of


class Passing:
    """Members of a strategy that are those of its `inner` one."""

    inner: Any

    @property
    def needs(self) -> tuple[type, ...]:
        return tuple(self.inner.needs) if self.inner else ()

    @property
    def order(self) -> str:
        return str(getattr(self.inner, "order", "number"))

    @property
    def estimators(self) -> Mapping[str, str]:
        return getattr(self.inner, "estimators", {})

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(getattr(self.inner, "axes", ()))


def has_trait(strategy: Any, name: str) -> bool:
    """Whether the strategy, or one within it, has this member, and it is true."""
    while strategy is not None:
        if getattr(strategy, name, False):
            return True
        strategy = getattr(strategy, "inner", None)
    return False


def find_trait(strategy: Any, name: str, default: Any = None) -> Any:
    """The member of the strategy, or of the first one within it that has one of this name."""
    while strategy is not None:
        if hasattr(strategy, name):
            return getattr(strategy, name)
        strategy = getattr(strategy, "inner", None)
    return default


def list_aside(strategy: Any, state: Any) -> frozenset[int]:
    """The rows on whose values the strategy's recommendation does not rest."""
    sets_aside = getattr(strategy, "sets_aside", None)
    return frozenset() if sets_aside is None else frozenset(sets_aside(state))


def read_inner(outer: object, given: Any, own_trials: bool = False) -> Any:
    """The strategy that `given` describes. Raises UsageError for one that learns no trials but its own,
    unless `own_trials` says that it will get no others."""
    registry = find_registry("strategy")
    if isinstance(given, str):
        inner = registry.parse(given)
    else:
        inner = registry.make(given) if isinstance(given, Mapping) else given
    if not own_trials and getattr(inner, "own_trials", False):
        raise UsageError(
            f"strategy {name_of(outer)!r}: {name_of(inner)} learns trials that it proposes itself, and"
            " cannot go on from others': name another strategy, such as evolution"
        )
    return inner
