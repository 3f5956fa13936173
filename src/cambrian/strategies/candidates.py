"""Which architectures an acquisition function is asked about: what it likes best of random draws and of
the neighbours of the best known, then the neighbours of those, and so on.

In a space too large to enumerate this is where the maximum is looked for (the "mutation" and "evolutionary"
optimisers of BANANAS and NASBOT, the local search of SMAC); in a small one it finds the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture, crossover, neighbours, sample
from cambrian.errors import SpaceError
from cambrian.predictors.features import remembered
from cambrian.randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space

Acquisition = Callable[[Sequence[Architecture]], "NDArray[np.float64]"]


@dataclass(frozen=True)
class Climb:
    """`random` draws; the neighbours (up to `near` each) of the starts, then `rounds - 1` times those of
    the `beam` best that have not given theirs."""

    random: int = 100
    near: int = 50
    rounds: int = 10
    beam: int = 8

    def maximise(
        self,
        space: Space,
        acquisition: Acquisition,
        starts: Sequence[Architecture],
        known: Container[Architecture],
        rng: np.random.Generator,
    ) -> tuple[Architecture, float] | None:
        """The best architecture met that is not `known`, and its score; None where all met are known."""
        scores: dict[Architecture, float] = {}
        climbed: set[Architecture] = set()

        def meet(architectures: Iterable[Architecture]) -> None:
            fresh = list(dict.fromkeys(a for a in architectures if a not in scores))
            scores.update(zip(fresh, acquisition(fresh).tolist() if fresh else (), strict=True))

        meet([*(sample(space, rng) for _ in range(self.random)), *_crossed(space, starts, rng)])
        heads: Sequence[Architecture] = starts
        for _ in range(self.rounds):
            climbed.update(heads)
            meet(n for head in heads for n in self._near(space, head, rng))
            heads = _best((a for a in scores if a not in climbed), scores, self.beam)
        best = _best((a for a in scores if a not in known), scores, 1)
        return (best[0], scores[best[0]]) if best else None

    def _near(self, space: Space, head: Architecture, rng: np.random.Generator) -> list[Architecture]:
        found: list[Architecture] = _neighbours(space, head)
        if len(found) <= self.near:
            return found
        return [found[i] for i in rng.choice(len(found), self.near, replace=False).tolist()]


@remembered
def _neighbours(space: Space, head: Architecture) -> list[Architecture]:
    """The same ones whenever asked: what has to be drawn is drawn by the architecture's own generator."""
    return neighbours(space, head, stream(0, "neighbours", head.key), cap=4)


def _crossed(
    space: Space, parents: Sequence[Architecture], rng: np.random.Generator
) -> Iterable[Architecture]:
    try:
        return [crossover(space, one, other, rng) for one in parents for other in parents if one != other]
    except SpaceError:
        return []


def _best(
    architectures: Iterable[Architecture], scores: dict[Architecture, float], count: int
) -> list[Architecture]:
    """The `count` best; of equals those met first."""
    return sorted(architectures, key=lambda a: -scores[a])[:count]
