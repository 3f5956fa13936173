"""Bayesian optimisation with a Weisfeiler-Lehman kernel: Ru et al., "Interpretable Neural Architecture
Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels" (NAS-BOWL, ICLR 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.predictors.weisfeiler_lehman import ROUNDS, WeisfeilerLehman
from cambrian.strategies.bayesian.bayes import Improving
from cambrian.strategies.settings import Span, check_settings


@dataclass(frozen=True)
class NASBowl(Improving):
    """Graphs correlate by the features they share after 0 to `rounds` rounds, as many as the data say; a
    space without graphs gives its trees of answers."""

    rounds: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings(self, rounds=Span(0, ROUNDS))

    @staticmethod
    def paper() -> NASBowl:
        """10 random architectures first, five more for each fit (Sec. 5.1)."""
        return NASBowl(initial=10, refit=5)

    def predictor(self) -> WeisfeilerLehman:
        return WeisfeilerLehman(standardise=False, rounds=self.rounds)
