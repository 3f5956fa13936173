"""The architectures one answer away from another."""

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
    """Architectures one answer away, `architecture` itself left out. Where the new answer opens
    questions, their answers are enumerated up to `cap` per changed answer, then drawn at random."""
    found: dict[Architecture, None] = {}
    for choice in questions(space, architecture):
        for answer in choice.near(architecture[choice.path], rng):
            for near in _walks_with(space, {**architecture, choice.path: answer}, rng, cap):
                if near != architecture:
                    found[near] = None
    return list(found)


def _walks_with(
    space: Walkable, wanted: dict[str, Answer], rng: np.random.Generator, cap: int
) -> Iterator[Architecture]:
    """All walks that keep `wanted` where legal; `cap` random ones where there are more, or where so many
    are rejected that there may be."""

    def walk(forced: Mapping[str, Answer]) -> Architecture:
        def otherwise(choice: Choice) -> Answer:
            if choice.path in forced:
                return forced[choice.path]
            if isinstance(choice, Real):
                return choice.draw(rng)
            raise Open(choice)

        return replay(space, wanted, otherwise)

    seen, rejected = [], 0
    for found in leaves(walk, {}):
        if found is None:
            rejected += 1
        else:
            seen.append(found)
        if len(seen) > cap or rejected > PATIENCE * cap:
            break
    else:
        yield from seen
        return
    for _ in range(cap):
        try:
            yield replay(space, wanted, lambda choice: choice.draw(rng))
        except Rejected:
            continue
