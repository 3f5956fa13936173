"""The architectures that a supernet holds, drawn by a number or decided by a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, Decide, replay
from cambrian.choices import Answer, Choice
from cambrian.errors import Rejected, SpaceError
from cambrian.randomness import stream

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

DRAWS = 1000
"""Rejected architectures in a row before the outer answers count as impossible."""


@dataclass(frozen=True)
class Paths:
    """The architectures of `space` with these `outer` answers. `seed` and `identity` name the random
    streams, of which each number has its own."""

    space: Space
    outer: Mapping[str, Answer]
    seed: int
    identity: int

    def __call__(self, number: int) -> Architecture:
        """The random architecture of that number. Raises SpaceError if none is found."""
        rng = self.stream(number)
        for _ in range(DRAWS):
            try:
                return replay(self.space, self.outer, lambda choice: choice.draw(rng))
            except Rejected:
                continue
        raise SpaceError("the space rejects random architectures with these outer answers")

    def stream(self, number: int) -> np.random.Generator:
        """The random numbers of that number, from -2^40 on."""
        # The offset makes every number positive: a stream's name holds whole numbers from 0 on.
        return stream(self.seed, "path", self.identity, number + (1 << 40))

    def walk(self, decide: Decide) -> Architecture:
        """An architecture whose shared questions `decide` answers. Raises Rejected."""

        def answer(choice: Choice) -> Answer:
            return self.outer[choice.path] if choice.path in self.outer else decide(choice)

        return self.space.walk(answer)
