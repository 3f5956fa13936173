"""The facts of a space for a plan: its levels, the number of architectures of each, an architecture of each,
and the sizes of its networks. Every space is asked in the same way."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from cambrian.architecture import Architecture, questions, sample
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import Rejected
from cambrian.randomness import stream
from cambrian.search.planning.preset.presets import FIRST, SIZES
from cambrian.spaces.budgets import HasPaperSearch, PaperSearch, Scales, Shortens, Size, list_sizes
from cambrian.spaces.knowledge import Encodes, Grows, Pool, know
from cambrian.spaces.space import Space

MOST_COUNTED = 256
"""Children up to which a level is counted: more would not change any plan."""
PLENTY = 2**53
"""Stands for the size of a level that is not counted."""
COMMON_SIZES = list_sizes(filters=(8, 16, 16, 16, 24, 24, 32, 32, 48), cells=(2, 2, 3, 6, 6, 6, 6, 9, 9))
"""Sizes for a space that does not name its own; those settings are used that its skeleton has."""


class SpaceFacts:
    """`levels` is empty for a space that cannot be searched level by level. `free` is True where nobody named
    the space, so that a plan also chooses how many of its levels there are."""

    def __init__(self, space: Space, free: bool = False) -> None:
        self.space, self.free = space, free
        # Progressive search needs both; where one is missing a plan goes by random architectures.
        self.grows: Any = None if know(space, Encodes) is None else know(space, Grows)
        self.levels: tuple[int, ...] = tuple(self.grows.levels) if self.grows else ()

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """Skeleton settings, small to large."""
        scales = know(self.space, Scales)
        if scales is not None:
            return scales.sizes
        sizes: list[Size] = []
        for size in ({k: v for k, v in common.items() if k in self.settings} for common in COMMON_SIZES):
            sizes += [size] if size not in sizes else []
        return tuple(sizes)

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the skeleton's settings; a user's own space need not have any."""
        return tuple(getattr(self.space, "skeleton", ()))

    def size(self, number: int) -> dict[str, Scalar]:
        """The size of that number, as presets count them: from 0 to SIZES - 1."""
        # The nearest of those there are, the larger one where two are as near.
        return dict(self.sizes[(number * (len(self.sizes) - 1) * 2 + SIZES - 1) // (2 * (SIZES - 1))])

    @cached_property
    def capacity(self) -> tuple[int, ...]:
        """The number of architectures to choose from at each level: of the first exactly, up to FIRST; of a
        later one, those grown from all of the level below. PLENTY where there are MOST_COUNTED or more, and
        for the levels above."""
        rng, pool = stream(0, "plan", "capacity"), self._first_pool
        counts = [len(pool)]
        while len(counts) < len(self.levels):
            parents = [pool.architecture(i) for i in range(len(pool))]
            pool = self.grows.grow(parents, rng, cap=MOST_COUNTED)
            if len(pool) >= MOST_COUNTED:  # and levels above have more
                break
            counts.append(max(1, len(pool)))
        return (*counts, *[PLENTY] * (len(self.levels) - len(counts)))

    @cached_property
    def first_is_whole(self) -> bool:
        """Whether FIRST architectures are all that the first level has."""
        return self._first_pool.complete

    @cached_property
    def _first_pool(self) -> Pool:
        pool: Pool = self.grows.grow((), stream(0, "plan", "first"), cap=FIRST)
        return pool

    @cached_property
    def typical_level(self) -> int:
        """The level of most architectures that are drawn from the space at random."""
        if not self.grows:
            return 1
        # Nine samples, and their median: the plan needs a level, not a distribution.
        drawn = [self.grows.level(sample(self.space, stream(0, "plan", "level", n))) for n in range(9)]
        return int(sorted(drawn)[len(drawn) // 2])

    def level_of_random(self, levels: int) -> int:
        """The level that trials of random architectures have, where a plan takes that many levels."""
        return (
            self.levels[min(levels, len(self.levels)) - 1]
            if self.free and self.levels
            else self.typical_level
        )

    @property
    def paper_search(self) -> PaperSearch | None:
        known = know(self.space, HasPaperSearch)
        return None if known is None else known.paper_search

    def up_to(self, level: int) -> SpaceFacts:
        """The facts of the space that ends with that level, where it can be cut; else these."""
        shortens = know(self.space, Shortens)
        if not self.levels or level == self.levels[-1] or shortens is None:
            return self
        return SpaceFacts(shortens.up_to(level), self.free)

    def level_name(self) -> str:
        """The name of the question that a level answers, such as "blocks"; "level" where none does."""
        asked = questions(self.space, sample(self.space, stream(0, "plan", "name")))
        names = [c.path.rpartition("/")[2] for c in asked if isinstance(c, OneOf) and c.depth]
        return names[0] if len(names) == 1 else "level"

    def draw(self, level: int | None, rng: np.random.Generator) -> Architecture:
        """A random architecture of that level; of the whole space without levels."""
        if level is None:
            return sample(self.space, rng)
        # Where a question asks for the level, the rest of the answers stay those of random architectures;
        # one that was grown is only one of those that a search may grow.
        architecture = self._draw_forced(level, rng)
        if self.grows is None or (architecture is not None and self.grows.level(architecture) == level):
            return architecture or sample(self.space, rng)
        return self._grow_to(level, rng)

    def _draw_forced(self, level: int, rng: np.random.Generator) -> Architecture | None:
        """An architecture by a forced answer to the question for the level, which most spaces ask; None where
        that is rejected."""

        def decide(choice: Choice) -> Answer:
            forced = isinstance(choice, OneOf) and choice.depth and level in choice.options
            return level if forced else choice.draw(rng)

        try:
            return self.space.walk(decide)
        except Rejected:
            return None

    def _grow_to(self, level: int, rng: np.random.Generator) -> Architecture:
        """An architecture that is grown from the first level to this one, or to a dead end below."""
        architecture: Architecture = self.grows.grow((), rng, cap=1).architecture(0)
        while self.grows.level(architecture) < level:
            children = self.grows.grow([architecture], rng, cap=1)
            if not len(children):  # a dead end
                break
            architecture = children.architecture(0)
        return architecture
