"""ProxylessNAS: Cai, Zhu & Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware"
(ICLR 2019). One path at a time is in memory, and gates learn by comparing two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cambrian.errors import UsageError
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class ProxylessNAS(Deriving):
    """Gates learn on two `paths` at a time, or on all (0)."""

    paths: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.paths not in (0, 2):
            raise UsageError(f"strategy 'proxylessnas': paths is 2, or 0 for all, got {self.paths!r}")

    @staticmethod
    def paper() -> ProxylessNAS:
        """40 epochs of the weights alone, then 120 with gates."""
        return ProxylessNAS(epochs=160, chunk=10, gate_rate=1e-3, frozen=40)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "proxylessnas", self.list_settings("paths")
