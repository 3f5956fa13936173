"""SPOS: Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling" (ECCV 2020). The
supernet learns from one uniformly drawn path at each step; evolution searches it with re-estimated statistics
of batch normalisation. A limit on multiply-accumulates is one of the search's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.shared_evolution import SharedEvolution


@dataclass(frozen=True)
class SPOS(SharedEvolution):
    """See `SharedEvolution` for the settings: `population`, `parents`, `mutation`, `children` in all. With
    `bins` the supernet learns from paths that are uniform over so many ranges of multiply-accumulates and not
    over architectures, of which nearly all are of medium cost (0: over architectures)."""

    bins: Annotated[int, Span(0, 1000)] = 0

    @staticmethod
    def paper() -> SPOS:
        """20 generations of 50, of which the best 10 are parents; mutations of probability .1 (Sec. 4.1).
        Seven bins, as in the released code, whose own are of 10M from 290M to 360M."""
        return SPOS(children=1000, population=50, parents=10, bins=7)

    @property
    def method(self) -> dict[str, Any]:
        return {"name": "uniform"} | ({"arguments": {"bins": self.bins}} if self.bins else {})
