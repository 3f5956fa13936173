"""Growth, tokens and moves of any space whose walks all ask one `pick.depth`.

Such a space needs nothing but its `walk`. Growth replays the parent one level higher: the questions
that this opens are the level's step. Tokens put the questions of one step in one
row, a slot per question; questions whose paths differ only in numbers that count (`pick.inside("layer", n)`,
`pick.repeat`, see `cambrian.paths`) share a vocabulary, and with it a surrogate's embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from cambrian.architecture import PATIENCE, Architecture, Walkable, replay, walks
from cambrian.choices import Answer
from cambrian.errors import Rejected
from cambrian.spaces.growth.layer_map import DepthMap, explore
from cambrian.spaces.growth.moves import MOVES, move_layer
from cambrian.spaces.knowledge import Encodes, Pool, know, name_function

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWN = 1000  # children drawn where nobody gave a cap and they cannot be counted
UNASKED = 0  # the token of a slot whose question an architecture was not asked


@dataclass(frozen=True)
class DepthGrowth:
    """`Grows`, `Encodes` and `Moves` of a space, from its one `pick.depth`. Answers of real questions, and of
    whole-number ones with more than 64 answers, are told apart by tokens only as far as 32 bins tell them
    apart.

    Which children are the same function is the space's own knowledge, and so are their tokens where it has
    others than these."""

    space: Walkable

    @cached_property
    def _map(self) -> DepthMap:
        return explore(self.space)

    @property
    def levels(self) -> tuple[int, ...]:
        return self._map.levels

    def level(self, architecture: Architecture) -> int:
        return int(architecture[self._map.depth])  # type: ignore[arg-type]

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(kind for kind, _ in self._map.columns)

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {kind: len(words) + 1 for kind, words in self._map.words.items()}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        import numpy as np

        depths = [self.levels.index(self.level(a)) + 1 for a in architectures]
        out = np.full((len(depths), max(depths, default=0), len(self.slots)), -1, dtype=np.int64)
        for i, architecture in enumerate(architectures):
            out[i, : depths[i]] = UNASKED
            for row, column, token in self._map.tokens(architecture):
                out[i, row, column] = token
        return out

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        import numpy as np

        # Real questions have no list of answers: children are drawn, never enumerated.
        limit = DRAWN if cap is None and self._map.continuous else cap
        every = None if self._map.continuous else self._every(parents, limit)
        complete = every is not None
        children = self._draw_some(parents, rng, limit or DRAWN) if every is None else self._distinct(every)
        grown = list(children)
        # A space's own tokens go first: surrogates learn from those.
        encodes = know(self.space, Encodes) or self
        step = np.zeros((len(grown), len(encodes.slots)), dtype=np.int64)
        if grown:
            # All children share a level, so that the last row of each is the step that it adds.
            step[:] = encodes.tokens(grown)[:, -1]
        return Pool(
            parents=tuple(parents),
            parent=np.array([children[c] for c in grown], dtype=np.int64),
            step=step,
            before=len(grown) if every is None else len(every),
            complete=complete,
            materialise=grown.__getitem__,
        )

    @property
    def moves(self) -> tuple[str, ...]:
        return MOVES

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        return move_layer(self.space, self._map, kind, architecture, rng)

    def _seeds(self, parents: Sequence[Architecture]) -> list[tuple[int, dict[str, Answer]]]:
        """(parent's index, the answers its children keep), for every parent with a level above."""
        levels, depth = self.levels, self._map.depth
        if not parents:
            return [(-1, {depth: levels[0]})]
        # Levels need not be consecutive: a space may skip depths.
        above = dict(pairwise(levels))
        return [
            (i, {**parent, depth: above[self.level(parent)]})
            for i, parent in enumerate(parents)
            if self.level(parent) in above
        ]

    def _every(
        self, parents: Sequence[Architecture], limit: int | None
    ) -> list[tuple[Architecture, int]] | None:
        """All children, or None where there are more than `limit`, or where too many walks are rejected to
        tell."""
        children: list[tuple[Architecture, int]] = []
        rejected = 0
        for i, kept in self._seeds(parents):
            for child in walks(self.space, kept):
                # An answer illegal one level higher was replaced: the child did not grow from its parent.
                if child is not None and _keeps(child, kept):
                    children.append((child, i))
                else:
                    rejected += 1
                if limit is not None and (len(children) > limit or rejected > PATIENCE * max(limit, 1000)):
                    return None
        return children

    def _distinct(self, children: Sequence[tuple[Architecture, int]]) -> dict[Architecture, int]:
        """The first child of each function, where the space has a canonical form."""
        first: dict[object, tuple[Architecture, int]] = {}
        for child, parent in children:
            first.setdefault(name_function(self.space, child), (child, parent))
        return dict(first.values())

    def _draw_some(
        self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int
    ) -> dict[Architecture, int]:
        """`cap` distinct children of parents drawn at random, fewer where draws keep repeating: of equally
        likely children fewer than one in a hundred is missed."""
        seeds = self._seeds(parents)
        children: dict[object, tuple[Architecture, int]] = {}
        repeated = rejected = 0  # since the last new child, and in all
        # One of N equally likely children escapes 5 N draws with probability e^-5, below 1 %.
        while seeds and len(children) < cap and repeated < 100 + 5 * len(children) and rejected < 20 * cap:
            i, kept = seeds[int(rng.integers(len(seeds)))]
            try:
                child = replay(self.space, kept, lambda choice: choice.draw(rng))
            except Rejected:
                rejected += 1
                continue
            repeated += 1
            function = name_function(self.space, child)
            if _keeps(child, kept) and function not in children:
                children[function] = child, i
                repeated = 0
        return dict(children.values())


def _keeps(child: Architecture, kept: Mapping[str, Answer]) -> bool:
    return all(path in child and child[path] == answer for path, answer in kept.items())
