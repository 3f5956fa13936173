"""The images that a metric of trained networks may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cambrian.networks.training.batches import Images


@dataclass(frozen=True)
class Parts:
    """The images that are `scored` in this stage, and those of `training`; `batch` of them fit into memory at
    once. `seed` is the search's."""

    scored: Images
    training: Images
    seed: int
    batch: int
