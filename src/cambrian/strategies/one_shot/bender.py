"""The one-shot model with path dropout: Bender et al., "Understanding and Simplifying One-Shot Architecture
Search" (ICML 2018). All candidates of the supernet learn together, some of them dropped at each step; random
children, whose other candidates are zeroed, are scored with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.settings import Span
from cambrian.strategies.one_shot.shared_search import SharedSearch, State, draw_new_child

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Bender(SharedSearch):
    """`rate` is the paper's r: all candidates of a fork are dropped with this probability at the end of the
    training, and each of k with r^(1/k)."""

    rate: Annotated[float, Span(0, 1, below=True)] = 0.1

    @staticmethod
    def paper() -> Bender:
        """20,000 random children (Sec. 3.3)."""
        return Bender(children=20_000)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "path-dropout", "arguments": {"rate": self.rate}}

    def choose_child(
        self, state: State, pending: Sequence[Trial], rng: np.random.Generator
    ) -> Architecture | None:
        return draw_new_child(state, pending, rng)
