"""ProxylessNAS: Cai, Zhu & Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware"
(ICLR 2019). One path at a time is in memory, and gates learn by comparing two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.errors import UsageError
from cambrian.settings import COUNT, Span
from cambrian.strategies.one_shot.costs import check_cost
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class ProxylessNAS(Deriving):
    """Gates learn on two `paths` at a time, or on all (0), in one step of `every`.

    `cost` is a measure of networks, such as macs or latency, whose expectation is a part of the gates' loss
    (Sec. 3.3; "": none), weighed by `cost_weight`; `target` is the value that is wanted (0: the mean of all
    architectures), in microseconds where it is a time."""

    paths: int = 2
    every: Annotated[int, COUNT] = 1
    cost: str = ""
    cost_weight: Annotated[float, Span(0)] = 0.1
    target: Annotated[float, Span(0)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.paths not in (0, 2):
            raise UsageError(f"strategy 'proxylessnas': paths is 2, or 0 for all, got {self.paths!r}")
        if self.cost:
            check_cost(self.cost)

    @staticmethod
    def paper() -> ProxylessNAS:
        """40 epochs of the weights alone on uniform paths, then 120 with gates, which learn in every fifth
        step from the second of them on (the released code)."""
        return ProxylessNAS(epochs=160, chunks=16, gate_rate=1e-3, frozen=41, every=5)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "proxylessnas", self.list_settings("paths", "every", "cost", "cost_weight", "target")
