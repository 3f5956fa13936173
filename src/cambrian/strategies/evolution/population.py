"""What evolutionary strategies share: members of a population, tournaments among them, offspring."""

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
    """A trial as evolution sees it. What could not be measured is worth less than all that could."""

    number: int
    architecture: Architecture
    value: float = -math.inf

    @staticmethod
    def of(trial: Trial) -> Member:
        return Member(trial.number, trial.architecture, -math.inf if trial.value is None else trial.value)


def tournament(members: Sequence[Member], size: int, rng: np.random.Generator) -> list[Member]:
    """`size` members drawn without replacement (all, where there are fewer), the best first; equals
    are in random order."""
    drawn = rng.choice(len(members), size=min(size, len(members)), replace=False)
    return sorted((members[int(i)] for i in drawn), key=lambda m: -m.value)


def mutate_or_draw(space: Space, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """A mutation; a random architecture where every mutation is rejected."""
    try:
        return mutate(space, architecture, rng)
    except SpaceError:
        return sample(space, rng)
