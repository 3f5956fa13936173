"""A measure: how many modules without parts a network has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Leaves:
    """Counted on a network without weights."""

    unit: ClassVar[str] = ""
    images: ClassVar[int] = 1
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = False

    def needs_weights(self, device):
        return False

    def protocol(self, device):
        return "modules without parts, counted without building any"

    def __call__(self, network, batch, device):
        return float(sum(not list(module.children()) for module in network.modules()))
