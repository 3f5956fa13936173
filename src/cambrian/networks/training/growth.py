"""Images that grow in the course of a training: small ones at first, which are cheap, full ones at the end.

Progressive learning (Tan & Le 2021, "EfficientNetV2", Sec. 4; Howard 2018 in fast.ai's DAWNBench entry).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

UNIT = 4
"""Pixels: sides are multiples of these, which halve well."""
LEAST = 8
"""Pixels: smaller images lose all structure after a network's second halving."""


@dataclass(frozen=True)
class Growth:
    """The shorter side of images in a training of three stretches: from a share `first` of `full` pixels over
    the middle to `full`. Stretches are shares of the training's time, which goes with the pixels: a share
    1 - `full_from` is spent at full size, and the rest evenly on the two smaller ones. In steps the small
    ones are by far the longest."""

    full: int
    first: float
    full_from: float

    @cached_property
    def sides(self) -> tuple[int, ...]:
        """All sides, in order: few, since all images are scaled to each of them."""
        first = min(self.full, max(LEAST, round(self.first * self.full / UNIT) * UNIT))
        middle = round((first + self.full) / 2 / UNIT) * UNIT
        return tuple(sorted({first, min(max(first, middle), self.full), self.full}))

    def side(self, share: float) -> int:
        """The side at a share of the training."""
        return max(side for side in self.sides if self._begin(side) <= share)

    def elapsed(self, share: float) -> float:
        """The share of the training's time at a share of its steps."""
        ends = (*self._begins[1:], 1.0)
        times = [(end - begin) * self.share(side) for side, begin, end in zip(self.sides, self._begins, ends)]
        done = [
            max(0.0, min(share, end) - begin) * self.share(side)
            for side, begin, end in zip(self.sides, self._begins, ends)
        ]
        return sum(done) / sum(times)

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
        """The share of the training's steps at which images have that side."""
        return self._begins[self.sides.index(side)]

    @cached_property
    def _begins(self) -> tuple[float, ...]:
        smaller = self.sides[:-1]
        times = [*(self.full_from / len(smaller) for _ in smaller), 1 - self.full_from]
        if not smaller:
            return (0.0,)
        # Time is steps times pixels, so that steps are time by pixels.
        steps = [time / self.share(side) for time, side in zip(times, self.sides, strict=True)]
        return tuple(total / sum(steps) for total in accumulate(steps[:-1], initial=0.0))
