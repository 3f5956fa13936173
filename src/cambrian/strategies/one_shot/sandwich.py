"""The sandwich rule with in-place distillation: Yu et al., "BigNAS: Scaling Up Neural Architecture Search
with Big Single-Stage Models" (ECCV 2020). The largest network of the space teaches the smallest and random
ones, at every step; evolution then searches the children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.shared_evolution import SharedEvolution


@dataclass(frozen=True)
class Sandwich(SharedEvolution):
    """`between` random networks learn beside the largest and the smallest one. See `SharedEvolution` for the
    other settings."""

    between: Annotated[int, Span(0, 1000)] = 2

    @staticmethod
    def paper() -> Sandwich:
        """Two random networks at each step (Sec. 3.1), and evolution of 1,000 children."""
        return Sandwich(children=1000, population=50, parents=10)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "sandwich", "arguments": {"between": self.between}}
