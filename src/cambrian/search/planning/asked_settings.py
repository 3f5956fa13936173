"""Settings that would do nothing: a space asks for them itself, nothing is trained, or a strategy has them
among its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.architecture import sample
from cambrian.errors import Unread
from cambrian.estimators.proxy import Proxy
from cambrian.estimators.training_answers import PREFIX
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.parts.components import component
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy


def refuse_asked(recipe: Mapping[str, Any], space: Space) -> None:
    """Raise Unread for settings of the training that the space asks for itself."""
    if not recipe:
        return
    paths = sample(space, stream(0, "asked"))
    asked = {path.removeprefix(PREFIX) for path in paths if path.startswith(PREFIX)}
    unread = [name for name in recipe if name in asked]
    if unread:
        raise Unread(unread, f"for other spaces: {name_of(space)} searches it with the network")


def refuse_untrained(changes: Mapping[str, Any], estimator: Any) -> None:
    """Raise Unread for the length and the images of trainings, where the search measures networks before
    training."""
    unread = [name for name in ("epochs", "images") if name in changes]
    if unread and estimator is not None and isinstance(component("estimator", estimator), Proxy):
        raise Unread(unread, f"for searches that train networks, and this one measures {_name(estimator)}")


def point_to_surrogate(strategy: Strategy, surrogate: str | None) -> str:
    """Where the surrogate is to be given, as a part of the sentence that refuses it beside the strategy;
    empty where this has no such setting.

    >>> from cambrian.strategies.bayesian.bayes import Bayes
    >>> point_to_surrogate(Bayes(), "mlp")
    "bayes takes a surrogate as 'bayes(surrogate=mlp)'"
    """
    if surrogate is None or not hasattr(strategy, "surrogate"):
        return ""
    name = name_of(strategy)
    return f"{name} takes a surrogate as '{name}(surrogate={surrogate})'"


def _name(estimator: Any) -> str:
    return estimator if isinstance(estimator, str) else "them before training"
