"""The cost of a search on this machine, measured before it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable, UsageError
from cambrian.one_thread import one_thread
from cambrian.randomness import stream
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.on_gpu import call_here, is_gpu
from cambrian.search.planning.precisions import measure_gain, measure_in
from cambrian.search.planning.preset.workload import Workload
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.spaces.drafts import draft_network

if TYPE_CHECKING:
    from torch import nn

    from cambrian.tasks.task import Task

DRAWN = 5
"""Architectures drawn at each level, of which one of middling size is measured."""
PATIENCE = 6.0
"""Seconds that measuring one network may take."""
GUESSED = 5e8
"""Multiply-accumulates a second of a slow machine, for networks that could not be measured."""
EACH = 0.1
"""Seconds of a trial besides its training: its process, its network, its images."""
FINISHED = 6
"""Networks that the final stage trains: three finalists, the winner, a random and a published baseline."""
SMALL = 16
"""Pixels a side of the images with which multiply-accumulates are compared."""


class Cost:
    """The cost of a search here: seconds per image of sample architectures, of the first, the middle and the
    last level where the space has levels, measured once in the smallest skeleton and scaled by
    multiply-accumulates to the others. They are measured in processes of their own, as many at a time as
    the search will train; `notice` says which could not be measured, and was guessed. Trainings have the
    `precision` (None: the faster one for the largest sample), in which they are `gain` times as fast."""

    def __init__(
        self, task: Task, device: str, workers: int, facts: SpaceFacts, precision: str | None = "auto"
    ) -> None:
        self.task, self.workers = task, workers
        self.notice: str | None = None
        self.precision, self.gain = precision or "auto", 1.0
        self._space = facts.space
        self._smallest = facts.size(0)
        self._sizes: dict[tuple[int, tuple[tuple[str, Scalar], ...]], float] = {}
        with one_thread():
            self._samples = _draw_samples(facts, self._params)
            self._speed = self._measure(device)
            if precision is None and device == "cpu" and self.notice is None:
                self._take_faster_precision()

    def images(self, work: Workload) -> int:
        return min(work.images, len(self.task.train))

    def trial_seconds(self, work: Workload, level: int) -> float:
        """The seconds of one trial."""
        return self._image(level, work.skeleton) * work.epochs * self.images(work) + EACH

    def training_seconds(self, work: Workload) -> float:
        """The seconds of one training of the final stage."""
        each = self._image(work.last, work.final_skeleton)
        return each * work.final_epochs * len(self.task.train) + EACH

    def search_seconds(self, work: Workload) -> float:
        return sum(n * self.trial_seconds(work, level) for level, n in work.trials.items()) / self.workers

    def final_seconds(self, work: Workload) -> float:
        return self.training_seconds(work) * math.ceil(FINISHED / self.workers)

    def seconds(self, work: Workload) -> float:
        return self.search_seconds(work) + self.final_seconds(work)

    def trials_within(self, work: Workload, seconds: float) -> dict[int, int]:
        """The trials by level that end within `seconds`, in the order of levels; at least one."""
        left, counts = seconds * self.workers, dict[int, int]()
        for level, wanted in work.trials.items():
            each = self.trial_seconds(work, level)
            count = min(wanted, max(int(left / each), 0 if counts else 1))
            counts |= {level: count} if count else {}
            # A level that is not finished is the last: progressive search does not skip one.
            if count < wanted:
                break
            left -= count * each
        return counts

    def _image(self, level: int, skeleton: Mapping[str, Scalar]) -> float:
        """Seconds to learn from one image, by interpolation between the levels that were measured."""
        levels = sorted(self._speed)
        seconds = np.interp(level, levels, [self._scale(k, skeleton) for k in levels])
        return float(seconds) * 1.15  # for scoring on validation, and the work between the steps

    def _scale(self, level: int, skeleton: Mapping[str, Scalar]) -> float:
        # Never below the measured speed: in a smaller network, overheads that macs do not count prevail.
        small = self._macs(level, self._smallest)
        return self._speed[level] * max(1.0, self._macs(level, skeleton) / max(small, 1.0))

    def _macs(self, level: int, skeleton: Mapping[str, Scalar]) -> float:
        key = (level, tuple(sorted(skeleton.items())))
        if key not in self._sizes:
            with one_thread():
                self._sizes[key] = self._count_macs(self._samples[level], skeleton)
        return self._sizes[key]

    def _count_macs(self, architecture: Architecture, skeleton: Mapping[str, Scalar]) -> float:
        """Multiply-accumulates, as far as they can be counted: with small images, which most networks take,
        and for which computing is faster than tracing without weights; else with the task's own."""
        from cambrian.networks.measure.sizes import macs, sizes

        side = [min(SMALL, n) for n in (self.task.height, self.task.width)]
        with suppress(RuntimeError, ValueError, TypeError, IndexError):
            network = self._build(architecture, skeleton)
            counted = macs(network, (self.task.channels, side[0], side[1]), computed=True)
            return counted * self.task.height * self.task.width / (side[0] * side[1])
        shape = (self.task.channels, self.task.height, self.task.width)
        return float(sizes(self._draft(architecture, skeleton), shape).get("macs", 1.0))

    def _params(self, architecture: Architecture) -> float:
        from cambrian.networks.measure.sizes import params

        return params(self._draft(architecture, self._smallest))

    def _draft(self, architecture: Architecture, skeleton: Mapping[str, Scalar]) -> nn.Module:
        """The network without weights."""
        return draft_network(self._space, architecture, self.task, skeleton)

    def _build(self, architecture: Architecture, skeleton: Mapping[str, Scalar]) -> nn.Module:
        return self._space.build(architecture, self.task, **skeleton)

    def _measure(self, device: str) -> dict[int, float]:
        """Seconds per image of each level's sample."""
        levels = list(self._samples)
        jobs = [partial(self._measure_speed, level, device) for level in levels]
        measured = call_here(jobs) if is_gpu(device) else call_each(jobs, max(self.workers, 1), PATIENCE)
        speeds = dict(zip(levels, measured))
        failures = [speed for speed in speeds.values() if isinstance(speed, Failed)]
        if failures:
            self.notice = f"the speed could not be measured and was guessed: {failures[0]}"
        return {k: self._guess_speed(k) if isinstance(s, Failed) else float(s) for k, s in speeds.items()}

    def _guess_speed(self, level: int) -> float:
        # Forward and backward together cost about three forward passes.
        return 3 * self._macs(level, self._smallest) / GUESSED

    def _measure_speed(self, level: int, device: str) -> float:
        return self._measure_in(level, device, [self.precision])[self.precision]

    def _take_faster_precision(self) -> None:
        self.gain = measure_gain(partial(self._compare_precisions, max(self._samples)), PATIENCE)
        if self.gain > 1:
            self.precision = "bfloat16"
            self._speed = {level: seconds / self.gain for level, seconds in self._speed.items()}

    def _compare_precisions(self, level: int) -> float:
        """How many times as fast the level's sample is in bfloat16 on a CPU; 1 if it is not trained in it."""
        speeds = self._measure_in(level, "cpu", ["float32", "bfloat16"])
        return speeds["float32"] / speeds["bfloat16"]

    def _measure_in(self, level: int, device: str, precisions: Sequence[str]) -> dict[str, float]:
        network = self._build(self._samples[level], self._smallest)
        return measure_in(
            network, (self.task.channels, self.task.height, self.task.width), device, precisions
        )


def _draw_samples(facts: SpaceFacts, size: Callable[[Architecture], float]) -> dict[int, Architecture]:
    """An architecture for each level to be measured: the one of middling size among DRAWN random ones. Raises
    UsageError where none makes a network."""
    levels = facts.levels
    wanted = sorted({levels[0], levels[len(levels) // 2], levels[-1]}) if levels else [facts.typical_level]
    samples = {}
    for level in wanted:
        sized = []
        for n in range(DRAWN):
            with suppress(Unbuildable):
                architecture = facts.draw(level if levels else None, stream(0, "plan", level, n))
                # With its number: equal sizes are sorted without comparing architectures.
                sized.append((size(architecture), n, architecture))
        if sized:
            samples[level] = sorted(sized, key=lambda s: s[:2])[len(sized) // 2][2]
    if not samples:
        raise UsageError(
            f"none of {DRAWN} architectures drawn from the space makes a network for these data: they do not"
            " fit the images' size; try --size, or another space"
        )
    return samples
