"""Which questions of a space one network can hold all answers to, and which are outer (see `sharing`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, questions
from cambrian.choices import Answer, Choice, OneOf, SomeOf
from cambrian.paths import kind_of

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


def is_fork(choice: Choice) -> bool:
    """Whether the answers of `choice` are modules."""
    return isinstance(choice, OneOf | SomeOf) and choice.module


def is_shared(space: Space, choice: Choice) -> bool:
    """Whether one network can hold all answers to the question in that space; otherwise it is outer."""
    return is_fork(choice) or kind_of(choice.parts or (choice.path,)) in space.shared


def outer(space: Space, architecture: Architecture) -> dict[str, Answer]:
    """The answers of `architecture` that a supernet is made for."""
    return {c.path: architecture[c.path] for c in questions(space, architecture) if not is_shared(space, c)}
