"""Paths drawn evenly over their cost, as in the released code of Guo et al., "Single Path One-Shot Neural
Architecture Search with Uniform Sampling" (ECCV 2020): one of a few ranges of multiply-accumulates is drawn,
and then paths until one is within it. Nearly all uniform paths are of medium cost, and so are those that the
weights would be trained for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import torch

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.networks.measure.dry_run import Uncountable
from cambrian.networks.measure.macs import counted_runs

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet

SURVEYED, MIDDLE, FEWEST = 200, (5.0, 95.0), 6
"""Uniform paths whose costs are counted first; the percentiles between which the ranges lie; and the paths
of a range with fewer of which it is left out, since its paths would take more time to find than to train."""
BLOCK, TRIES = 16, 1000
"""Steps whose paths are looked for together: what one does not take, another may. And the paths drawn for
them, after which any are taken, whatever they cost (the released code: 500 for each step)."""
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
        self._block, self._paths = -1, list[Architecture]()
        # By the same numbers in each part of a training, which so has the same ranges when it is resumed.
        surveyed = self.weigh(draw(SURVEY + n) for n in range(SURVEYED))
        self.ranges = split_costs([cost for _, cost in surveyed], bins)

    def __call__(self, number: int) -> Architecture:
        """The path of a step's number, from 0 on: the same number gives the same one."""
        block, place = divmod(number, BLOCK)
        if block != self._block:
            self._block, self._paths = block, self._find(block)
        return self._paths[place]

    def weigh(self, paths: Iterable[Architecture]) -> Generator[tuple[Architecture, int], None, None]:
        """Each path with its multiply-accumulates for one image."""
        supernet, device = self._supernet, next(self._supernet.parameters()).device
        # An operation may draw noise: whether a cost is known yet must not change what is drawn after it.
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            counted_runs(supernet, self._shape) as run,
        ):
            for path in paths:
                if path.key not in self._known:
                    if len(self._known) >= KNOWN:
                        self._known.clear()
                    supernet.choose(path)
                    self._known[path.key] = _count(run)
                yield path, self._known[path.key]

    def _find(self, block: int) -> list[Architecture]:
        """The paths of the steps of a block."""
        rng, first = self._draw.stream(RANGE + block), block * max(TRIES, BLOCK)
        waiting = {place: self.ranges[int(rng.integers(len(self.ranges)))] for place in range(BLOCK)}
        found = {place: self._draw(first + place) for place in range(BLOCK)}
        with closing(self.weigh(self._draw(first + n) for n in range(TRIES))) as weighed:
            for path, cost in weighed:
                fitting = [place for place, (low, high) in waiting.items() if low <= cost <= high]
                for place in fitting[:1]:
                    found[place] = path
                    del waiting[place]
                if not waiting:
                    break
        return list(found.values())


def _count(run: Callable[[], int]) -> int:
    try:
        return run()
    except Uncountable as error:
        raise UsageError(
            f"supernet method 'uniform': the multiply-accumulates of this space's paths cannot be counted, so"
            f" that bins has to be 0: {error}"
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
