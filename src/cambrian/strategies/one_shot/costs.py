"""The measures whose expectation gates can learn from."""

from __future__ import annotations

from cambrian.errors import UnknownName

COSTS = ("macs", "latency", "params", "memory")
"""Measures that add up over the parts of a network, or nearly so."""


def check_cost(cost: str) -> None:
    """Raises UnknownName for another measure."""
    if cost not in COSTS:
        raise UnknownName("cost", cost, COSTS)
