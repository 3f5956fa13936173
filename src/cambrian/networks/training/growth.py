"""Images that grow in the course of a training: small ones at first, which are cheap, full ones at the end.

Progressive learning (Tan & Le 2021, "EfficientNetV2", Sec. 4; Howard 2018 in fast.ai's DAWNBench entry).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

LEAST = 8
"""Pixels: smaller images lose all structure after a network's second halving."""


@dataclass(frozen=True)
class Growth:
    """The shorter side of images over the shares of a training: from a share `first` of `full` pixels it
    grows linearly, in multiples of a few pixels, and is `full` from the share `full_from` on."""

    full: int
    first: float
    full_from: float

    @cached_property
    def sides(self) -> tuple[int, ...]:
        """All sides, in order."""
        unit = 4 if self.full <= 96 else 8 if self.full <= 192 else 16  # at most some ten sides to scale to
        first = min(self.full, max(LEAST, round(self.first * self.full / unit) * unit))
        return (*range(first, self.full, unit), self.full)

    def side(self, share: float) -> int:
        """The side at a share of the training."""
        return max(side for side in self.sides if self._begin(side) <= share)

    def pixels_ahead(self, step: int, length: int, span: int, least: int) -> float:
        """The pixels of the steps from `step` to `length`, where the sides extend over `span` steps and none
        is below `least`; 1 is a step at full size."""
        begins = [*(self._begin(side) * span for side in self.sides), math.inf]
        return sum(
            max(0.0, min(end, length) - max(begin, step)) * self.share(max(side, least))
            for side, begin, end in zip(self.sides, begins, begins[1:])
        )

    def share(self, side: int) -> float:
        """The pixels of an image of that side, as a share of those of a full one."""
        return (side / self.full) ** 2

    def _begin(self, side: int) -> float:
        """The share of the training at which images have that side: rounded down, so that the last one begins
        at `full_from`."""
        grown = self.full - self.sides[0]
        return self.full_from * (side - self.sides[0]) / grown if grown else 0.0
