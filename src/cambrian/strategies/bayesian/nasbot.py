"""NASBOT: Kandasamy et al., "Neural Architecture Search with Bayesian Optimisation and Optimal Transport"
(NeurIPS 2018): a Gaussian process on the OTMANN distance, its acquisition climbed by mutations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from cambrian.predictors.otmann_kernel import LISTED, OTMANN
from cambrian.settings import Span
from cambrian.strategies.bayesian.bayes import Improving
from cambrian.strategies.bayesian.candidates import Climb


@dataclass(frozen=True)
class NASBOT(Improving):
    """The kernel combines the distance of networks with the distance per layer (see `OTMANN`); `structure` is
    the paper's nu."""

    # Fewer candidates than other strategies: a distance solves an assignment problem for each pair.
    candidates: int = 20
    structure: Annotated[float, Span(0, 1000, above=True)] = 0.5
    climb: ClassVar[Climb] = Climb(rounds=3, beam=2)
    starts: ClassVar[int] = 3
    listed: ClassVar[int] = LISTED

    @staticmethod
    def paper() -> NASBOT:
        """10 architectures first, a fit for every one more (Appendix)."""
        return NASBOT(initial=10, refit=1)

    def predictor(self) -> OTMANN:
        return OTMANN(standardise=False, structure=self.structure)
