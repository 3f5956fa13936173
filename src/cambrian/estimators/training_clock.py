"""The time that a training takes by itself: without its scores, and almost without other work on the
machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.1
"""Seconds on the wall for one of the processor. With more, the first trainings of a race on a busy machine
would take the time of the others, which would then have no turn."""


class TrainingClock:
    """Counts seconds while `running`, from `seconds` spent before. On a CPU a second is one of the process's
    time on each thread in use, but at most PATIENCE seconds on the wall, so that other processes on the cores
    take little from a training and nothing from those after it; on another device it is one on the wall."""

    def __init__(self, device: str, seconds: float = 0.0) -> None:
        self._on_cpu = device == "cpu"
        # Of both clocks, in seconds of the training: the larger one counts.
        self._spent = (seconds, seconds)
        self._began: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        return max(self._measure())

    @contextmanager
    def running(self) -> Iterator[None]:
        self._began = self._read()
        try:
            yield
        finally:
            self._spent, self._began = self._measure(), None

    def _measure(self) -> tuple[float, float]:
        if self._began is None:
            return self._spent
        now = self._read()
        spent = [s + n - b for s, n, b in zip(self._spent, now, self._began, strict=True)]
        return spent[0], spent[1]

    def _read(self) -> tuple[float, float]:
        wall = time.perf_counter()
        if not self._on_cpu:
            return wall, wall
        from torch import get_num_threads

        return time.process_time() / get_num_threads(), wall / PATIENCE
