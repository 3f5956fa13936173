"""Maximising an acquisition function over a space.

In a space too large to enumerate, a local search starts from random draws and from the neighbours of the
best known architectures, then continues with the neighbours of the best of those (the "mutation" and
"evolutionary" optimisers of BANANAS and NASBOT, the local search of SMAC). A small space is enumerated.
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
from cambrian.predictors.features import Whole, list_whole, memoise
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Lists, know

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space

Acquisition = Callable[[Sequence[Architecture]], "NDArray[np.float64]"]


@dataclass(frozen=True)
class Climb:
    """Local search: `random` draws and the neighbours (up to `near` each) of the starts, then, in
    `rounds - 1` more rounds, the neighbours of the `beam` best architectures that are not expanded yet."""

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
        """The best architecture that is not `known`, and its score; None if all candidates are known."""
        scores: dict[Architecture, float] = {}
        expanded: set[Architecture] = set()

        def score(architectures: Iterable[Architecture]) -> None:
            # In one call: an acquisition's cost is mostly per call, not per architecture.
            fresh = list(dict.fromkeys(a for a in architectures if a not in scores))
            scores.update(zip(fresh, acquisition(fresh).tolist() if fresh else (), strict=True))

        score([*(sample(space, rng) for _ in range(self.random)), *_cross(space, starts, rng)])
        heads: Sequence[Architecture] = starts
        # A known head is expanded too: the next proposal lies next to the best, which is known.
        for _ in range(self.rounds):
            expanded.update(heads)
            score(n for head in heads for n in self._near(space, head, rng))
            heads = _best((a for a in scores if a not in expanded), scores, self.beam)
        best = _best((a for a in scores if a not in known), scores, 1)
        return (best[0], scores[best[0]]) if best else None

    def _near(self, space: Space, head: Architecture, rng: np.random.Generator) -> list[Architecture]:
        near: list[Architecture] = _neighbours(space, head)
        if len(near) <= self.near:
            return near
        return [near[i] for i in rng.choice(len(near), self.near, replace=False).tolist()]


def _all_near(space: Space, head: Architecture) -> list[Architecture]:
    """The neighbours of `head`, the same at every call: draws come from the architecture's own stream."""
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
        """As `Climb.maximise`; among equal scores (the same graph by other answers, say) a random one."""
        scores = acquisition(self.architectures)
        # lexsort's last key counts first: by score, ties by the random numbers.
        for i in np.lexsort([rng.random(len(scores)), -scores]).tolist():
            if self.architectures[i] not in known:
                return self.architectures[i], float(scores[i])
        return None


def enumerate_space(space: Space, most: int, listed: int) -> Everything | None:
    """All architectures of a space with at most `most` of them, or at most `listed` where it lists them
    without walks; else None."""
    # A list tells its length: no table is walked only to be found too long.
    if know(space, Lists) is not None:
        whole = list_whole(space, listed)
        return None if whole is None else Everything(whole)
    everything: Everything | None = _enumerate_once(space, most) if most else None
    return everything


def _enumerate(space: Space, most: int) -> Everything | None:
    rng, sizes = stream(0, "enumerate"), []
    # Knuth 1975: over random walks, the mean of the product of the numbers of options is the number of
    # leaves. It tells a large space from a small one before any time is spent on enumerating it.
    for _ in range(64):
        choices = questions(space, sample(space, rng))
        sizes.append(np.prod([np.inf if c.size is None else float(c.size) for c in choices]))
    if np.mean(sizes) > 2 * most:
        return None
    # A rejected walk counts too, since it takes as long as an accepted one.
    leaves = list(islice(walks(space, {}), (1 + PATIENCE) * most + 1))
    accepted = [a for a in leaves if a is not None]
    few = len(accepted) <= most and len(leaves) <= (1 + PATIENCE) * most
    return Everything(Whole(accepted)) if few else None


_enumerate_once = memoise(_enumerate, 4)


def _cross(space: Space, parents: Sequence[Architecture], rng: np.random.Generator) -> Iterable[Architecture]:
    try:
        return [crossover(space, one, other, rng) for one in parents for other in parents if one != other]
    except SpaceError:  # the space rejects them all: the climb has its other candidates
        return []


def _best(
    architectures: Iterable[Architecture], scores: dict[Architecture, float], count: int
) -> list[Architecture]:
    """The `count` best; among equal scores the earlier ones."""
    return sorted(architectures, key=lambda a: -scores[a])[:count]
