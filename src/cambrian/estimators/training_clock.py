"""The time that a training takes by itself: without its scores, and without other work on the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class TrainingClock:
    """Counts seconds while `running`, from `seconds` spent before. On CPU a second is one of the process's
    time on each thread in use, so that other processes on the cores take nothing from a training; on another
    device it is a second on the wall."""

    def __init__(self, device: str, seconds: float = 0.0) -> None:
        self._on_cpu = device == "cpu"
        self._spent = seconds
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        return self._spent if self._began is None else self._spent + self._read() - self._began

    @contextmanager
    def running(self) -> Iterator[None]:
        self._began = self._read()
        try:
            yield
        finally:
            self._spent, self._began = self.seconds, None

    def _read(self) -> float:
        if not self._on_cpu:
            return time.perf_counter()
        from torch import get_num_threads

        return time.process_time() / get_num_threads()
