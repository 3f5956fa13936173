"""An estimate of the number of architectures of a space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cambrian.choices import Answer, Choice, OneOf
from cambrian.errors import Rejected
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    import numpy as np


def estimate_size(space: Space, rng: np.random.Generator, walks: int = 256) -> float:
    """Estimate the number of architectures: the mean, over random walks, of the product of the numbers of
    options of the questions asked (Knuth 1975, Estimating the efficiency of backtrack programs); infinity
    where a question is answered by a real number. Unbiased, and far off where few walks lead to most
    architectures."""
    return sum(_product(space, rng) for _ in range(walks)) / walks


def _product(space: Space, rng: np.random.Generator) -> float:
    """The product for one walk on which all answers are equally likely; 0 for a walk that is rejected."""
    options: list[float] = []

    def decide(choice: Choice) -> Answer:
        options.append(math.inf if choice.size is None else float(choice.size))
        # Knuth's product holds for uniform answers: a choice's own weights must not bias the walk.
        if isinstance(choice, OneOf):
            return choice.options[int(rng.integers(len(choice.options)))]
        return choice.draw(rng)

    try:
        space.walk(decide)
    except Rejected:
        return 0.0
    return math.prod(options)
