"""Random search with weight sharing: Li & Talwalkar, "Random Search and Reproducibility for Neural
Architecture Search" (UAI 2019, Sec. 3.2). The supernet learns from a random architecture at each step;
random children are then scored with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.strategies.one_shot.shared_search import SharedSearch, State, draw_new_child

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class RandomShared(SharedSearch):
    """See `SharedSearch` for the settings: `chunks` of the supernet's training, `children` scored."""

    @staticmethod
    def paper() -> RandomShared:
        """1,000 children (Sec. 4.1), here each on the whole validation part."""
        return RandomShared(children=1000)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "uniform"}

    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        return draw_new_child(state, pending, rng)
