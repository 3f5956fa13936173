"""The predictor that a strategy ranks by: given as a name, a spec or a component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.errors import UsageError
from cambrian.predictors import PREDICTORS


def name_surrogate(surrogate: Any) -> Any:
    """A surrogate as a setting: a component becomes its spec, if it has one."""
    if isinstance(surrogate, str | Mapping):
        return surrogate
    return PREDICTORS.spec(surrogate) or surrogate


def make_surrogate(surrogate: Any) -> Any:
    """The predictor that a setting describes; on a command line it may be written `forest(trees=10)`."""
    if isinstance(surrogate, str):
        return PREDICTORS.parse(surrogate)
    return PREDICTORS.make(surrogate) if isinstance(surrogate, Mapping) else surrogate


def make_deviating_surrogate(strategy: str, surrogate: Any) -> Any:
    """The predictor that a setting describes. Raises UsageError if its predictions do not have deviations."""
    predictor = make_surrogate(surrogate)
    if predictor.deviates:
        return predictor
    able = [name for name in PREDICTORS.names() if PREDICTORS.make(name).deviates]
    raise UsageError(
        f"strategy {strategy!r}: surrogate {_name(surrogate)!r} does not say how unsure it is of a"
        f" prediction, which expected improvement is made of: choose one that does ({', '.join(able)})"
    )


def _name(surrogate: Any) -> str:
    spec = name_surrogate(surrogate)
    if isinstance(spec, str):
        return spec
    return str(spec["name"]) if isinstance(spec, Mapping) else type(surrogate).__name__
