"""The costs of operations on a device, and the latency that they sum to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Counts = Mapping[str, float]


class LatencyTable(msgspec.Struct, frozen=True):
    """The seconds that a unit of each column costs (see `operation_totals`), beside `intercept`. `measured`
    is the measure that it was fitted to, on `device`, at `measurements` networks; `rank_correlation` is
    Spearman's, between measurements and the predictions of fits that had not seen them."""

    measured: str
    device: str
    measurements: int
    intercept: float
    costs: dict[str, float]
    rank_correlation: float

    def predict(self, counts: Counts) -> float:
        """The predicted seconds of a network with these operations."""
        total = self.intercept + sum(self.costs.get(name, 0.0) * n for name, n in counts.items())
        # Costs are fitted, and may sum to less than nothing for a network unlike all that were measured.
        return max(total, 0.0)
