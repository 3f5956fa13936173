"""The neighbours of an architecture: those that are one answer away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cambrian.architecture import PATIENCE, Architecture, Open, Walkable, leaves, questions, replay
from cambrian.choices import Answer, Choice, Real
from cambrian.errors import Rejected

if TYPE_CHECKING:
    import numpy as np


def neighbours(
    space: Walkable, architecture: Architecture, rng: np.random.Generator, cap: int = 64
) -> list[Architecture]:
    """The architectures that are one answer away from `architecture`. If the new answer opens questions,
    their answers are enumerated, up to `cap` of them per changed answer, else drawn at random."""
    unique: dict[Architecture, None] = {}  # a dict keeps the order, which a set does not
    for choice in questions(space, architecture):
        for answer in choice.near(architecture[choice.path], rng):
            for near in _walks_with(space, {**architecture, choice.path: answer}, rng, cap):
                if near != architecture:
                    unique[near] = None
    return list(unique)


def _walks_with(
    space: Walkable, wanted: dict[str, Answer], rng: np.random.Generator, cap: int
) -> Iterator[Architecture]:
    """All walks that keep `wanted` where it is legal; `cap` random ones if there are more, or if so many are
    rejected that enumerating them all would take too long."""

    def walk(forced: Mapping[str, Answer]) -> Architecture:
        def otherwise(choice: Choice) -> Answer:
            if choice.path in forced:
                return forced[choice.path]
            if isinstance(choice, Real):  # its answers cannot be enumerated
                return choice.draw(rng)
            raise Open(choice)

        return replay(space, wanted, otherwise)

    accepted, rejected = [], 0
    for leaf in leaves(walk, {}):
        if leaf is None:
            rejected += 1
        else:
            accepted.append(leaf)
        if len(accepted) > cap or rejected > PATIENCE * cap:
            break
    else:  # the enumeration came to its end: these are all
        yield from accepted
        return
    # Too many: the first `cap` of an enumeration share most of their answers, random ones do not.
    for _ in range(cap):
        try:
            yield replay(space, wanted, lambda choice: choice.draw(rng))
        except Rejected:
            continue
