"""Whether a run's estimators can do what its strategy may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.errors import Incompatible, UnknownName
from cambrian.estimators.estimator import SERVES
from cambrian.request import Evaluate
from cambrian.search.loop.order import ORDERS
from cambrian.search.settings import component
from cambrian.weights import Continue, Fresh, Inherit, Shared

WEIGHTED = (Continue, Inherit, Shared)
"""Requests for these need what an earlier row left."""


def served_by(estimator: Any) -> tuple[type, ...]:
    """The requests and weights that it can do."""
    return tuple(getattr(estimator, "serves", SERVES))


def named_estimators(first: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    """All estimators of a run by name, "" the first."""
    return {"": first, **{name: component("estimator", spec) for name, spec in others.items()}}


def check_serves(strategy: Any, estimators: Mapping[str, Any]) -> None:
    """Raises Incompatible where the strategy may ask for what none of the estimators can do."""
    served = {kind for estimator in estimators.values() for kind in served_by(estimator)}
    for kind in getattr(strategy, "requests", (Evaluate, Fresh)):
        if kind not in served:
            names = ", ".join(type(e).__name__ for e in estimators.values())
            raise Incompatible(
                f"{type(strategy).__name__} asks for {kind.__name__}, which {names} cannot do: add an"
                " estimator that can"
            )


def read_order(order: str) -> str:
    """Raises UnknownName for an order that there is not."""
    if order not in ORDERS:
        raise UnknownName("order", order, ORDERS)
    return order
