"""The shared parts of evolutionary strategies: members of a population, tournaments, offspring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, mutate, sample
from cambrian.errors import SpaceError
from cambrian.outcome import Trial

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Member:
    """A trial as evolution sees it. One that failed has the value -inf, below all others: it may die and be
    beaten like any other member, but hardly ever has children."""

    number: int
    architecture: Architecture
    value: float = -math.inf

    @staticmethod
    def of(trial: Trial) -> Member:
        return Member(trial.number, trial.architecture, -math.inf if trial.value is None else trial.value)


def tournament(members: Sequence[Member], size: int, rng: np.random.Generator) -> list[Member]:
    """`size` members drawn without replacement (all, if there are fewer), the best first; equal members
    are in random order."""
    drawn = rng.choice(len(members), size=min(size, len(members)), replace=False)
    return sorted((members[int(i)] for i in drawn), key=lambda m: -m.value)


def mutate_or_draw(space: Space, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """A mutation; a random architecture if every mutation is rejected."""
    try:
        return mutate(space, architecture, rng)
    except SpaceError:
        return sample(space, rng)
