"""The architectures that are finished in the same way as the winner, to compare it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from cambrian.architecture import Architecture, questions, replay
from cambrian.choices import OneOf
from cambrian.errors import IllegalArchitecture, Rejected
from cambrian.randomness import stream
from cambrian.spaces.space import Space


def list_baselines(
    space: Space,
    names: Sequence[str],
    published: Mapping[str, Architecture],
    winner: Architecture,
    seed: int,
) -> list[tuple[str, Architecture]]:
    """The baselines of these names, by role: "random" is one of the winner's size, any other a published one.
    One that the space does not hold is left out."""
    baselines: list[tuple[str, Architecture]] = []
    for name in names:
        with suppress(IllegalArchitecture):
            if name == "random":
                baselines.append((f"baseline {name}", draw_of_size(space, winner, seed)))
            elif name in published:
                baselines.append((f"baseline {name}", replay(space, published[name])))
    return baselines


def draw_of_size(space: Space, winner: Architecture, seed: int) -> Architecture:
    """A random architecture of the winner's size: with as many layers or blocks. Raises IllegalArchitecture
    where the space rejects all that are drawn."""
    depths = [c.path for c in questions(space, winner) if isinstance(c, OneOf) and c.depth]
    # Rejection, as `sample` does it: a space may reject most draws, but not for ever.
    rng = stream(seed, "baseline")
    for _ in range(1000):
        try:
            same = {path: winner[path] for path in depths}
            return replay(space, same, lambda choice: choice.draw(rng))
        except Rejected:
            continue
    raise IllegalArchitecture("the space rejects random architectures of the winner's size")
