"""Settings of the training that would do nothing: a space asks for them itself, or nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.architecture import sample
from cambrian.errors import Unread
from cambrian.estimators.proxy import Proxy
from cambrian.estimators.training_answers import PREFIX
from cambrian.randomness import stream
from cambrian.search.parts.components import component
from cambrian.spaces.space import Space


def refuse_asked(recipe: Mapping[str, Any], space: Space) -> None:
    """Raise Unread for settings of the training that the space asks for itself."""
    if not recipe:
        return
    paths = sample(space, stream(0, "asked"))
    asked = {path.removeprefix(PREFIX) for path in paths if path.startswith(PREFIX)}
    unread = [name for name in recipe if name in asked]
    if unread:
        raise Unread(unread, f"for other spaces: {type(space).__name__} searches it with the network")


def refuse_untrained(changes: Mapping[str, Any], estimator: Any) -> None:
    """Raise Unread for the length and the images of trainings, where the search measures networks before
    training."""
    unread = [name for name in ("epochs", "images") if name in changes]
    if unread and estimator is not None and isinstance(component("estimator", estimator), Proxy):
        raise Unread(unread, f"for searches that train networks, and this one measures {_name(estimator)}")


def _name(estimator: Any) -> str:
    return estimator if isinstance(estimator, str) else "them before training"
