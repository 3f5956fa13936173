"""What a search costs on this machine, measured before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import Rejected, Unbuildable, UsageError
from cambrian.randomness import stream
from cambrian.search.ladder import LADDER, Rung
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.space import Grows, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.tasks.task import Task

FIRST = 136
"""Cells of one block (PNAS, Sec. 3.2)."""
DRAWN = 5


class Cost:
    """What a rung costs here: seconds per image of sample architectures, of the first, the middle and the
    last level where the space has levels, measured once in the smallest skeleton and scaled by
    multiply-accumulates to the others."""

    def __init__(self, task: Task, device: str, workers: int, space: Space | None = None) -> None:
        self.task, self.workers = task, workers
        self._space = space or PNAS()
        self._sizes: dict[tuple[int, int, int], float] = {}
        self._samples = _middling(self._space, self._draft)
        with _threads(1 if workers > 1 else None):
            self._speed = {level: self._measured(level, device) for level in self._samples}

    def trials(self, rung: Rung) -> dict[int, int]:
        """How many at each level; of a space without levels, as many in all at the first."""
        if not isinstance(self._space, PNAS):
            return {1: FIRST + (rung.levels - 1) * rung.keep}
        return {b: FIRST if b == 1 else rung.keep for b in range(1, rung.levels + 1)}

    def images(self, rung: Rung) -> int:
        return min(rung.images, len(self.task.train))

    def search_seconds(self, rung: Rung) -> float:
        work = sum(
            n * self._image(b, rung.filters, rung.cells) * rung.epochs * self.images(rung)
            for b, n in self.trials(rung).items()
        )
        return work / self.workers

    def final_seconds(self, rung: Rung, networks: int = 6) -> float:
        each = self._image(rung.levels, rung.final_filters, rung.final_cells)
        return each * rung.final_epochs * len(self.task.train) * math.ceil(networks / self.workers)

    def seconds(self, rung: Rung) -> float:
        return self.search_seconds(rung) + self.final_seconds(rung)

    def _image(self, level: int, filters: int, cells: int) -> float:
        """Seconds to learn from one image, by interpolation between the levels that were measured."""
        known = sorted(self._speed)
        if not isinstance(self._space, PNAS):
            level = known[len(known) // 2]
        here = np.interp(level, known, [self._scaled(k, filters, cells) for k in known])
        return float(here) * 1.15  # scoring on validation, and what lies between the steps

    def _scaled(self, level: int, filters: int, cells: int) -> float:
        small = self._macs(level, LADDER[0].filters, LADDER[0].cells)
        return self._speed[level] * max(1.0, self._macs(level, filters, cells) / max(small, 1.0))

    def _macs(self, level: int, filters: int, cells: int) -> float:
        key = (level, filters, cells)
        if key not in self._sizes:
            self._sizes[key] = self._draft(self._samples[level], filters, cells)
        return self._sizes[key]

    def _draft(self, architecture: Architecture, filters: int, cells: int) -> float:
        """Multiply-accumulates, as far as they can be counted, of the network without weights."""
        import torch

        from cambrian.networks.count import sizes

        with torch.device("meta"):
            network = self._build(architecture, filters, cells)
        shape = (self.task.channels, self.task.height, self.task.width)
        return float(sizes(network, shape).get("macs", 1.0))

    def _build(self, architecture: Architecture, filters: int, cells: int) -> nn.Module:
        return self._space.build(architecture, self.task, **scaled(self._space, filters, cells))

    def _measured(self, level: int, device: str) -> float:
        import torch
        from torch.nn import functional as F

        network = self._build(self._samples[level], LADDER[0].filters, LADDER[0].cells)
        network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        batch = torch.rand(64, self.task.channels, self.task.height, self.task.width, device=device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        targets = torch.zeros(64, dtype=torch.int64, device=device)
        times = []
        for _ in range(4):
            started = time.perf_counter()
            F.cross_entropy(network(batch), targets).backward()  # type: ignore[no-untyped-call]
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        return min(times[1:]) / 64


def scaled(space: Space, filters: int, cells: int) -> dict[str, Scalar]:
    """Those of a rung's settings that the space's skeleton has."""
    return {k: v for k, v in (("filters", filters), ("cells", cells)) if k in space.skeleton}


def _middling(space: Space, size: Callable[[Architecture, int, int], float]) -> dict[int, Architecture]:
    """An architecture of middling size for each level to be measured, of some drawn there."""
    levels = tuple(space.levels) if isinstance(space, Grows) else (1,)
    wanted = sorted({levels[0], levels[len(levels) // 2], levels[-1]})
    found = {}
    for level in wanted:
        sized = []
        for n in range(DRAWN):
            with suppress(Unbuildable):
                architecture = _drawn(space, level, stream(0, "plan", level, n))
                sized.append((size(architecture, LADDER[0].filters, LADDER[0].cells), n, architecture))
        if sized:
            found[level] = sorted(sized, key=lambda s: s[:2])[len(sized) // 2][2]
    if not found:
        raise UsageError(
            f"none of {DRAWN} architectures drawn from the space makes a network for these data: they do not"
            " fit the images' size; try --size, or another space"
        )
    return found


def _drawn(space: Space, level: int, rng: np.random.Generator) -> Architecture:
    """Of that level, where one question decides it."""

    def decide(choice: Choice) -> Answer:
        forced = isinstance(choice, OneOf) and choice.depth and level in choice.options
        return level if forced else choice.draw(rng)

    try:
        return space.walk(decide)
    except Rejected:
        return sample(space, rng)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """torch with so many threads, as a worker has; None leaves it as it is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
