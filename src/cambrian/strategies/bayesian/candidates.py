"""Which architectures an acquisition function is asked about: what it likes best of random draws and of
the neighbours of the best known, then the neighbours of those, and so on.

In a space too large to enumerate this is where the maximum is looked for (the "mutation" and "evolutionary"
optimisers of BANANAS and NASBOT, the local search of SMAC); a small one is asked about as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import PATIENCE, Architecture, crossover, questions, sample, walks
from cambrian.errors import SpaceError
from cambrian.neighbourhood import neighbours
from cambrian.predictors.features import Whole, memoise
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
    rounds: int = 5
    beam: int = 4

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

        meet([*(sample(space, rng) for _ in range(self.random)), *_cross(space, starts, rng)])
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


def _all_near(space: Space, head: Architecture) -> list[Architecture]:
    """The same ones whenever asked: what has to be drawn is drawn by the architecture's own generator."""
    return neighbours(space, head, stream(0, "neighbours", head.key), cap=4)


_neighbours = memoise(_all_near, 64)  # hundreds each


@dataclass(frozen=True)
class Everything:
    """All architectures of a small space."""

    architectures: Whole

    def maximise(
        self,
        space: Space,
        acquisition: Acquisition,
        starts: Sequence[Architecture],
        known: Container[Architecture],
        rng: np.random.Generator,
    ) -> tuple[Architecture, float] | None:
        """As `Climb.maximise`; of equals (the same graph by other answers, say) any."""
        scores = acquisition(self.architectures)
        for i in np.lexsort([rng.random(len(scores)), -scores]).tolist():
            if self.architectures[i] not in known:
                return self.architectures[i], float(scores[i])
        return None


def enumerate_space(space: Space, most: int) -> Everything | None:
    """All architectures, where a space has at most `most`; a larger one is told by random walks, before
    it is counted (the product of the numbers of answers met is their mean: Knuth 1975)."""
    found: Everything | None = _enumerated(space, most)
    return found


def _count(space: Space, most: int) -> Everything | None:
    rng, sizes = stream(0, "enumerate"), []
    for _ in range(64):
        choices = questions(space, sample(space, rng))
        sizes.append(np.prod([np.inf if c.size is None else float(c.size) for c in choices]))
    if np.mean(sizes) > 2 * most:
        return None
    # What is rejected counts too: it takes as long.
    found = list(islice(walks(space, {}), (1 + PATIENCE) * most + 1))
    accepted = [a for a in found if a is not None]
    few = len(accepted) <= most and len(found) <= (1 + PATIENCE) * most
    return Everything(Whole(accepted)) if few else None


_enumerated = memoise(_count, 4)


def _cross(space: Space, parents: Sequence[Architecture], rng: np.random.Generator) -> Iterable[Architecture]:
    try:
        return [crossover(space, one, other, rng) for one in parents for other in parents if one != other]
    except SpaceError:
        return []


def _best(
    architectures: Iterable[Architecture], scores: dict[Architecture, float], count: int
) -> list[Architecture]:
    """The `count` best; of equals those met first."""
    return sorted(architectures, key=lambda a: -scores[a])[:count]
