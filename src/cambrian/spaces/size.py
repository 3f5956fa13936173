"""How many architectures a space has, about."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cambrian.choices import Answer, Choice, OneOf
from cambrian.errors import Rejected
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    import numpy as np


def estimated_size(space: Space, rng: np.random.Generator, walks: int = 256) -> float:
    """The mean, over random walks, of the product of the numbers of answers met (Knuth 1975, Estimating the
    efficiency of backtrack programs); infinity where a question is answered by a real number. Unbiased,
    and far off where few walks lead to most architectures."""
    return sum(_product(space, rng) for _ in range(walks)) / walks


def _product(space: Space, rng: np.random.Generator) -> float:
    """Of a walk on which every answer is as likely as any other; 0 for one that is rejected."""
    met: list[float] = []

    def decide(choice: Choice) -> Answer:
        met.append(math.inf if choice.size is None else float(choice.size))
        if isinstance(choice, OneOf):
            return choice.options[int(rng.integers(len(choice.options)))]
        return choice.draw(rng)

    try:
        space.walk(decide)
    except Rejected:
        return 0.0
    return math.prod(met)
