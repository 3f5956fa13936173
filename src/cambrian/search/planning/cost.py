"""What a search costs on this machine, measured before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import Rejected, Unbuildable, UsageError
from cambrian.randomness import stream
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.ladder import LADDER, Rung
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.knowledge import Grows, know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.tasks.task import Task

FIRST = 136
"""Cells of one block (PNAS, Sec. 3.2)."""
DRAWN = 5
PIXELS = 1 << 17
"""Of a batch that is measured: more images than fill it tell nothing more."""
ENOUGH = 1.0
"""Seconds of steps after which no more are measured."""
PATIENCE = 6.0
"""Seconds that measuring one network may take."""
GUESSED = 5e8
"""Multiply-accumulates a second, of one that could not be measured: a slow machine's."""
EACH = 0.1
"""Seconds of a trial beside its training: its process, its network, its images."""
SMALL = 16
"""Pixels a side of the images with which multiply-accumulates are compared."""


class Cost:
    """What a rung costs here: seconds per image of sample architectures, of the first, the middle and the
    last level where the space has levels, measured once in the smallest skeleton and scaled by
    multiply-accumulates to the others. They are measured in processes of their own, as many at a time as
    the search will train; `notice` says of what could not be measured, and was guessed."""

    def __init__(self, task: Task, device: str, workers: int, space: Space | None = None) -> None:
        self.task, self.workers = task, workers
        self.notice: str | None = None
        self._space = space or PNAS()
        self._sizes: dict[tuple[int, int, int], float] = {}
        with _one_thread():
            self._samples = _middling(self._space, self._params)
            self._speed = self._measure(device)

    def trials(self, rung: Rung) -> dict[int, int]:
        """How many at each level; of a space without levels, as many in all at the first."""
        if not isinstance(self._space, PNAS):
            return {1: FIRST + (rung.levels - 1) * rung.keep}
        return {b: FIRST if b == 1 else rung.keep for b in range(1, rung.levels + 1)}

    def images(self, rung: Rung) -> int:
        return min(rung.images, len(self.task.train))

    def trial_seconds(self, rung: Rung, level: int) -> float:
        """Of one trial."""
        return self._image(level, rung.filters, rung.cells) * rung.epochs * self.images(rung) + EACH

    def training_seconds(self, rung: Rung) -> float:
        """Of one training of the final stage."""
        each = self._image(rung.levels, rung.final_filters, rung.final_cells)
        return each * rung.final_epochs * len(self.task.train) + EACH

    def search_seconds(self, rung: Rung) -> float:
        return sum(n * self.trial_seconds(rung, b) for b, n in self.trials(rung).items()) / self.workers

    def final_seconds(self, rung: Rung, networks: int = 6) -> float:
        return self.training_seconds(rung) * math.ceil(networks / self.workers)

    def seconds(self, rung: Rung) -> float:
        return self.search_seconds(rung) + self.final_seconds(rung)

    def _image(self, level: int, filters: int, cells: int) -> float:
        """Seconds to learn from one image, by interpolation between the levels that were measured."""
        known = sorted(self._speed)
        if not isinstance(self._space, PNAS):
            level = known[len(known) // 2]
        here = np.interp(level, known, [self._scale(k, filters, cells) for k in known])
        return float(here) * 1.15  # scoring on validation, and what lies between the steps

    def _scale(self, level: int, filters: int, cells: int) -> float:
        small = self._macs(level, LADDER[0].filters, LADDER[0].cells)
        return self._speed[level] * max(1.0, self._macs(level, filters, cells) / max(small, 1.0))

    def _macs(self, level: int, filters: int, cells: int) -> float:
        key = (level, filters, cells)
        if key not in self._sizes:
            with _one_thread():
                self._sizes[key] = self._counted(self._samples[level], filters, cells)
        return self._sizes[key]

    def _counted(self, architecture: Architecture, filters: int, cells: int) -> float:
        """Multiply-accumulates, as far as they can be counted: for small images, which most networks take
        and where computing is faster than pretending to; else for the task's own."""
        from cambrian.networks.measure.sizes import macs, sizes

        side = [min(SMALL, n) for n in (self.task.height, self.task.width)]
        with suppress(RuntimeError, ValueError, TypeError, IndexError):
            network = self._build(architecture, filters, cells)
            counted = macs(network, (self.task.channels, side[0], side[1]), computed=True)
            return counted * self.task.height * self.task.width / (side[0] * side[1])
        shape = (self.task.channels, self.task.height, self.task.width)
        return float(sizes(self._draft(architecture, filters, cells), shape).get("macs", 1.0))

    def _params(self, architecture: Architecture) -> float:
        from cambrian.networks.measure.sizes import params

        return params(self._draft(architecture, LADDER[0].filters, LADDER[0].cells))

    def _draft(self, architecture: Architecture, filters: int, cells: int) -> nn.Module:
        """The network without weights."""
        import torch

        with torch.device("meta"):
            return self._build(architecture, filters, cells)

    def _build(self, architecture: Architecture, filters: int, cells: int) -> nn.Module:
        return self._space.build(architecture, self.task, **skeleton_settings(self._space, filters, cells))

    def _measure(self, device: str) -> dict[int, float]:
        """Seconds per image of each level's sample."""
        levels = list(self._samples)
        if device.startswith("cuda"):  # which a forked process cannot use
            return {level: self._measure_speed(level, device) for level in levels}
        jobs = [partial(self._measure_speed, level, device) for level in levels]
        speeds = dict(zip(levels, call_each(jobs, max(self.workers, 1), PATIENCE)))
        failures = [speed for speed in speeds.values() if isinstance(speed, Failed)]
        if failures:
            self.notice = f"the speed could not be measured and was guessed: {failures[0]}"
        return {k: self._guessed(k) if isinstance(s, Failed) else float(s) for k, s in speeds.items()}

    def _guessed(self, level: int) -> float:
        return 3 * self._macs(level, LADDER[0].filters, LADDER[0].cells) / GUESSED

    def _measure_speed(self, level: int, device: str) -> float:
        import torch
        from torch.nn import functional as F

        from cambrian.networks.pointwise import avoid_strided_pointwise, memory_format

        network = self._build(self._samples[level], LADDER[0].filters, LADDER[0].cells)
        avoid_strided_pointwise(network)
        layout = memory_format(network)
        network = network.to(device).to(memory_format=layout).train()  # type: ignore[call-overload]
        task = self.task
        images = max(2, min(64, PIXELS // (task.height * task.width)))
        batch = torch.rand(images, task.channels, task.height, task.width, device=device)
        batch = batch.contiguous(memory_format=layout)
        targets = torch.zeros(images, dtype=torch.int64, device=device)
        times: list[float] = []
        while len(times) < 2 or (len(times) < 4 and sum(times) < ENOUGH):
            started = time.perf_counter()
            output = network(batch)
            loss = F.cross_entropy(output[0] if isinstance(output, tuple) else output, targets)
            loss.backward()  # type: ignore[no-untyped-call]
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        return min(times[1:]) / images


def skeleton_settings(space: Space, filters: int, cells: int) -> dict[str, Scalar]:
    """Those of a rung's settings that the space's skeleton has."""
    return {k: v for k, v in (("filters", filters), ("cells", cells)) if k in space.skeleton}


def _middling(space: Space, size: Callable[[Architecture], float]) -> dict[int, Architecture]:
    """An architecture of middling size for each level to be measured, of some drawn there."""
    grows = know(space, Grows)
    levels = (1,) if grows is None else tuple(grows.levels)
    wanted = sorted({levels[0], levels[len(levels) // 2], levels[-1]})
    found = {}
    for level in wanted:
        sized = []
        for n in range(DRAWN):
            with suppress(Unbuildable):
                architecture = _draw(space, level, stream(0, "plan", level, n))
                sized.append((size(architecture), n, architecture))
        if sized:
            found[level] = sorted(sized, key=lambda s: s[:2])[len(sized) // 2][2]
    if not found:
        raise UsageError(
            f"none of {DRAWN} architectures drawn from the space makes a network for these data: they do not"
            " fit the images' size; try --size, or another space"
        )
    return found


def _draw(space: Space, level: int, rng: np.random.Generator) -> Architecture:
    """Of that level, where one question decides it."""

    def decide(choice: Choice) -> Answer:
        forced = isinstance(choice, OneOf) and choice.depth and level in choice.options
        return level if forced else choice.draw(rng)

    try:
        return space.walk(decide)
    except Rejected:
        return sample(space, rng)


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch with one thread, as an engine has it; what is forked then finds no threads missing."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
