"""DrNAS: Chen et al., "DrNAS: Dirichlet Neural Architecture Search" (ICLR 2021). The weights of candidates
are drawn from Dirichlet distributions, whose concentrations learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import Span
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class DrNAS(Deriving):
    """`anchor` weighs the divergence from the uniform distribution. With `keep` above 0 the training has two
    stages, in the second of which only so many options of each gate are left; gates rest for `rest` epochs
    at the beginning of each. Operations see one `channel_share` of the channels (K in the paper), and in the
    first of two stages one `first_share` of them (0: the same), after which they are widened."""

    anchor: Annotated[float, Span(0)] = 1e-3
    keep: Annotated[int, Span(0, 1000)] = 0
    rest: Annotated[int, Span(0, 10_000)] = 0
    channel_share: Annotated[int, Span(1, 1000)] = 1
    first_share: Annotated[int, Span(0, 1000)] = 0

    @staticmethod
    def paper() -> DrNAS:
        """Two stages of 50 epochs in the space of NAS-Bench-201, with three of five operations in the second
        one, which see half of the channels after a quarter; gates rest for ten epochs (App. A.4)."""
        return DrNAS(epochs=100, chunks=10, gate_rate=3e-4, keep=3, rest=10, channel_share=2, first_share=4)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "drnas", self.list_settings("anchor", "keep", "rest", "channel_share", "first_share")
