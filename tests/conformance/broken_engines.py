"""Engines that break one promise each."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any, ClassVar

import msgspec

from cambrian.outcome import Crashed, Done
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.engines.serial import Serial


class Wrapped(Engine):
    """`Serial`, to be spoilt."""

    def __init__(self) -> None:
        self.serial = Serial()
        self.slots = self.serial.slots

    def start(self, work: Work) -> None:
        self.serial.start(work)

    def submit(self, assignment: Assignment) -> None:
        self.serial.submit(assignment)

    def wait(self, timeout: float | None = None) -> list[Report]:
        return self.serial.wait(timeout)

    def cancel(self, number: int) -> None:
        self.serial.cancel(number)

    def close(self) -> None:
        self.serial.close()


class Stutters(Wrapped):
    """Every outcome twice."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        return [r for r in super().wait(timeout) for _ in range(2 if r.outcome else 1)]


class LosesTrials(Wrapped):
    """Nothing is heard of trials that crash."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        return [r for r in super().wait(timeout) if not isinstance(r.outcome, Crashed)]


class OneAttempt(Wrapped):
    """Every attempt is the first."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        return [msgspec.structs.replace(r, attempt=1) for r in super().wait(timeout)]


class NoPoints(Wrapped):
    """Keeps the curve to itself."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        while True:
            reports = super().wait(timeout)
            if not reports or reports[0].outcome or reports[0].lost:
                return reports


class LatePoints(Wrapped):
    """Tells the curve after the outcome."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        reports: list[Report] = []
        while news := super().wait(timeout):
            reports = [*news, *reports]
        return reports


class InventsValues(Wrapped):
    """A crash is a zero."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        return [
            msgspec.structs.replace(r, outcome=Done(0.0)) if isinstance(r.outcome, Crashed) else r
            for r in super().wait(timeout)
        ]


class TersesCrashes(Wrapped):
    """Crashes without a traceback."""

    def wait(self, timeout: float | None = None) -> list[Report]:
        return [
            msgspec.structs.replace(r, outcome=Crashed("failed")) if isinstance(r.outcome, Crashed) else r
            for r in super().wait(timeout)
        ]


class ForgetsContext(Wrapped):
    """Every run is seeded with zero."""

    def start(self, work: Work) -> None:
        super().start(replace(work, problem=replace(work.problem, seed=0)))


class NoTimeLimit(Wrapped):
    """Takes its time."""

    def start(self, work: Work) -> None:
        super().start(replace(work, timeout=None))


class DeafToCancel(Wrapped):
    """Finishes what it began."""

    def cancel(self, number: int) -> None:
        pass


class ClosesOnce(Wrapped):
    """Fails to close twice."""

    def close(self) -> None:
        super().close()
        del self.serial


class LeavesProcesses(Wrapped):
    """A helper that outlives it, until the test reaps it."""

    helpers: ClassVar[list[int]] = []

    def start(self, work: Work) -> None:
        super().start(work)
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        self.helpers.append(os.posix_spawn(sys.executable, command, os.environ))


class TalksOfNothing(Wrapped):
    """Repeats its last report when nothing runs."""

    last: Any = None

    def wait(self, timeout: float | None = None) -> list[Report]:
        reports = super().wait(timeout)
        self.last = reports or self.last
        return reports or self.last or []


class TellsOldTales(Wrapped):
    """Reports after a new start what was running before."""

    old: Any = None

    def submit(self, assignment: Assignment) -> None:
        self.old = self.old or Report(assignment.trial.number, assignment.attempt, lost="closed")
        super().submit(assignment)

    def start(self, work: Work) -> None:
        super().start(work)
        self.tell = self.old

    def wait(self, timeout: float | None = None) -> list[Report]:
        tale, self.tell = self.tell, None
        return ([tale] if tale else []) + super().wait(timeout)


class NoSlots(Wrapped):
    """Has room for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = 0


BROKEN = [
    (Stutters, "every_assignment_ends_once"),
    (LosesTrials, "every_assignment_ends_once"),
    (OneAttempt, "attempts_are_echoed"),
    (NoPoints, "points_come_before_the_outcome"),
    (LatePoints, "points_come_before_the_outcome"),
    (InventsValues, "exceptions_are_outcomes"),
    (InventsValues, "outcomes_are_what_they_are_here"),
    (TersesCrashes, "exceptions_are_outcomes"),
    (ForgetsContext, "evaluations_know_their_context"),
    (NoTimeLimit, "time_is_limited"),
    (DeafToCancel, "cancelled_trials_end"),
    (ClosesOnce, "closing_twice_is_closing"),
    (LeavesProcesses, "no_process_is_left"),
    (TalksOfNothing, "waiting_for_nothing_returns"),
    (TellsOldTales, "starting_again_works"),
    (NoSlots, "slots_are_a_number"),
]
