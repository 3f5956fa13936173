"""One evaluation at a time, in this process: for debugging, and for components that cannot be named."""

from __future__ import annotations

import time
import warnings
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, cast

from cambrian.outcome import Point
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.engines.evaluation import evaluate, prepare, too_late
from cambrian.settings import COUNT, check_settings


@dataclass(eq=False)
class Serial(Engine):
    """torch computes on `threads` threads while an evaluation is under way, as in a worker process, so
    that the numbers are the same. A time limit is honoured between the points of a curve. A limit on
    memory is not: it would hold for all that this process does, and libraries that run into one abort.
    An evaluation that ends the process ends the run, which resumes at the same trial."""

    threads: Annotated[int, COUNT] = 1
    bounds_memory: ClassVar[bool] = False
    slots: int = field(default=1, init=False)
    _work: Work | None = field(default=None, init=False)
    _running: _Running | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_settings(self, "engine 'serial'")

    def start(self, work: Work) -> None:
        if work.memory is not None:
            warnings.warn(
                "engine 'serial' cannot limit the memory of a trial: engine 'processes' can", stacklevel=2
            )
        # Before the first trial, as in a worker, so that its time holds no imports.
        for estimator in work.estimators.values():
            prepare(estimator)
        self._work, self._running = replace(work, threads=self.threads), None

    def submit(self, assignment: Assignment) -> None:
        if self._work is None or self._running is not None:
            raise RuntimeError("submit before start, or while another evaluation runs")
        self._running = _Running(self._work, assignment)

    def wait(self, timeout: float | None = None) -> list[Report]:
        # Gone, should Ctrl-C interrupt the step: a generator that raised cannot be stepped again.
        running, self._running = self._running, None
        if running is None:
            return []
        report = running.step()
        if not report.last:
            self._running = running
        return [report]

    def cancel(self, number: int) -> None:
        # Only noted: between two calls of `wait` the evaluation does not run, and only `wait` may report.
        if self._running is not None and self._running.assignment.trial.number == number:
            self._running.cancelled = True

    def close(self) -> None:
        if self._running is not None:
            self._running.reports.close()
        self._work, self._running = None, None


class _Running:
    """An evaluation under way, and how long it has taken."""

    def __init__(self, work: Work, assignment: Assignment) -> None:
        self.assignment = assignment
        self.reports = cast(Generator[Report, None, None], evaluate(work, assignment))
        self.cancelled = False
        self._limit = work.timeout
        self._started = time.monotonic()
        self._curve: list[Point] = []

    def step(self) -> Report:
        """The next report; the last one where the evaluation is cancelled or late."""
        number, attempt = self.assignment.trial.number, self.assignment.attempt
        if self.cancelled:
            self.reports.close()
            return Report(number, attempt, lost="cancelled")
        report = next(self.reports)  # as long as it computes, nothing can stop it but itself
        seconds = time.monotonic() - self._started
        if self._limit is not None and seconds > self._limit:
            self.reports.close()
            return Report(number, attempt, outcome=too_late(self._limit, tuple(self._curve), seconds))
        if report.point is not None:
            self._curve.append(report.point)
        return report
