"""Settings of the training that a space asks for itself, and which nobody else can set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.architecture import sample
from cambrian.errors import Unread
from cambrian.estimators.training_answers import PREFIX
from cambrian.randomness import stream
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
