"""One evaluation at a time, in this process: for debugging, and for what cannot be named."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cambrian.outcome import Infeasible
from cambrian.search.engines.engine import Assignment, Engine, Report, Work, evaluate


class Serial(Engine):
    """A time limit is honoured between the points of a curve; what ends the process ends the run,
    which resumes at the same trial."""

    slots = 1

    def start(self, work: Work) -> None:
        self._work = work
        self._running: Iterator[Report] | None = None
        self._deadline: float | None = None
        self._assignment: Assignment | None = None

    def submit(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._running = evaluate(self._work, assignment)
        self._deadline = None if self._work.timeout is None else time.monotonic() + self._work.timeout

    def wait(self, timeout: float | None = None) -> list[Report]:
        if self._running is None or self._assignment is None:
            return []
        report = next(self._running)
        late = self._deadline is not None and time.monotonic() > self._deadline
        if report.outcome is None and late:
            self._running.close()  # type: ignore[attr-defined]
            report = Report(
                self._assignment.trial.number,
                self._assignment.attempt,
                outcome=Infeasible("timeout", f"took longer than {self._work.timeout:g} s"),
            )
        if report.outcome is not None:
            self._running = None
        return [report]

    def close(self) -> None:
        self._running = None
