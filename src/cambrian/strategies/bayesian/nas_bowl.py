"""Bayesian optimisation with a Weisfeiler-Lehman kernel: Ru et al., "Interpretable Neural Architecture
Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels" (NAS-BOWL, ICLR 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cambrian.predictors.weisfeiler_lehman import ROUNDS, WeisfeilerLehman
from cambrian.settings import Span
from cambrian.strategies.bayesian.bayes import Improving


@dataclass(frozen=True)
class NASBowl(Improving):
    """Graphs correlate by their common features after 0 to `rounds` rounds, a number chosen by the
    likelihood of the data. A space without graphs is compared by its trees of answers."""

    rounds: Annotated[int, Span(0, ROUNDS)] = 3

    @staticmethod
    def paper() -> NASBowl:
        """10 random architectures first, five more for each fit (Sec. 5.1)."""
        return NASBowl(initial=10, refit=5)

    def predictor(self) -> WeisfeilerLehman:
        return WeisfeilerLehman(standardise=False, rounds=self.rounds)
