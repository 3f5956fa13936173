"""The architectures that are finished in the same way as the winner, to compare it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from cambrian.architecture import Architecture, questions, replay
from cambrian.choices import OneOf
from cambrian.counts import counted
from cambrian.errors import IllegalArchitecture, Rejected
from cambrian.randomness import stream
from cambrian.spaces.space import Space

HELD = 50
"""Random architectures that are held to the limits: where one in ten keeps them, 99.5 % of searches find one
so, and to count the sizes of one takes up to a fifth of a second."""


def list_baselines(
    space: Space,
    names: Sequence[str],
    published: Mapping[str, Architecture],
    winner: Architecture,
    seed: int,
    keeps: Callable[[Architecture], bool],
    warn: Callable[[str], object],
    late: Callable[[], bool] = lambda: False,
) -> list[tuple[str, Architecture]]:
    """The baselines of these names, by role: "random" is one of the winner's size for which `keeps` is true,
    any other a published one. One that the space does not hold is left out; where no random one is found,
    or none before it is `late`, `warn` gets a sentence."""
    baselines: list[tuple[str, Architecture]] = []
    for name in names:
        if name == "random":
            try:
                baselines.append((f"baseline {name}", draw_of_size(space, winner, seed, keeps, late)))
            except IllegalArchitecture as error:
                warn(f"no random architecture is trained beside the winner: {error}")
        elif name in published:
            with suppress(IllegalArchitecture):
                baselines.append((f"baseline {name}", replay(space, published[name])))
    return baselines


def draw_of_size(
    space: Space,
    winner: Architecture,
    seed: int,
    keeps: Callable[[Architecture], bool] = lambda _: True,
    late: Callable[[], bool] = lambda: False,
) -> Architecture:
    """A random architecture of the winner's size, with as many layers or blocks, for which `keeps` is true.
    Raises IllegalArchitecture where the space rejects all that are drawn, or `keeps` is true for none before
    it is `late`."""
    depths = [c.path for c in questions(space, winner) if isinstance(c, OneOf) and c.depth]
    # Rejection, as `sample` does it: a space may reject most draws, but not for ever.
    rng, held = stream(seed, "baseline"), 0
    for _ in range(1000):
        try:
            same = {path: winner[path] for path in depths}
            drawn = replay(space, same, lambda choice: choice.draw(rng))
        except Rejected:
            continue
        if keeps(drawn):
            return drawn
        held += 1
        if held == HELD or late():
            raise IllegalArchitecture(
                f"none of {counted(held, 'network')} of the winner's size that were drawn keeps the limits"
            )
    raise IllegalArchitecture("the space rejects random architectures of the winner's size")
