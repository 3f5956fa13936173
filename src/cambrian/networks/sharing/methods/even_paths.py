"""Paths drawn evenly over their cost, as in the released code of Guo et al., "Single Path One-Shot Neural
Architecture Search with Uniform Sampling" (ECCV 2020): one of a few ranges of multiply-accumulates is drawn,
and then paths until one is within it. Nearly all uniform paths are of medium cost, and so are those that the
weights would be trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.networks.measure.dry_run import Uncountable
from cambrian.networks.measure.macs import macs

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet

SURVEYED, MIDDLE, FEWEST = 200, (5.0, 95.0), 2
"""Uniform paths whose costs are counted first; the percentiles between which the ranges lie; and the paths
of a range with fewer of which it is left out, since its paths would take more time to find than to train."""
TRIES = 500
"""Paths drawn for one step, after which one is taken whatever it costs (the released code)."""
KNOWN = 20_000
"""Costs that are kept."""
SURVEY, RANGE = -(1 << 36), -(1 << 35)
"""Numbers of random streams beside those of the steps."""


class EvenPaths:
    """The paths of a supernet by number, in at most `bins` ranges of equal width. `shape` is that of an
    image: (channels, height, width). Raises UsageError where costs cannot be counted."""

    def __init__(self, supernet: Supernet, draw: Draw, shape: tuple[int, int, int], bins: int) -> None:
        self._supernet, self._draw, self._shape = supernet, draw, shape
        self._known: dict[str, int] = {}
        # By the same numbers in each part of a training, which so has the same ranges when it is resumed.
        self.ranges = split_costs([self.count(draw(SURVEY + n)) for n in range(SURVEYED)], bins)

    def __call__(self, number: int) -> Architecture:
        """The path of a step's number, from 0 on: the same number gives the same one."""
        low, high = self.ranges[int(self._draw.stream(RANGE + number).integers(len(self.ranges)))]
        for n in range(TRIES):
            path = self._draw(number * TRIES + n)
            if low <= self.count(path) <= high:
                break
        return path

    def count(self, path: Architecture) -> int:
        """The multiply-accumulates of a path for one image."""
        if path.key not in self._known:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[path.key] = self._measure(path)
        return self._known[path.key]

    def _measure(self, path: Architecture) -> int:
        device = next(self._supernet.parameters()).device
        self._supernet.choose(path)
        # An operation may draw noise: whether a cost is known yet must not change what is drawn after it.
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            try:
                return macs(self._supernet, self._shape, computed=True)
            except Uncountable as error:
                raise UsageError(
                    f"supernet method 'uniform': the multiply-accumulates of this space's paths cannot be"
                    f" counted, so that bins has to be 0: {error}"
                ) from error


def split_costs(costs: list[int], bins: int) -> list[tuple[float, float]]:
    """Ranges of equal width, both ends included, without those that hardly any of the `costs` are in.

    >>> split_costs([10] * 10 + [40] * 10, 3)
    [(10.0, 20.0), (30.0, 40.0)]
    >>> split_costs([7] * 10, 3)
    [(7.0, 7.0)]
    """
    low, high = np.percentile(costs, MIDDLE).tolist()
    if low == high:
        return [(low, high)]
    counts, edges = np.histogram(costs, bins, (low, high))
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True)
    least = min(FEWEST, max(counts))
    return [(begin, end) for begin, end, count in pairs if count >= least]
