"""Evaluations in local processes: each worker (see `worker`) forks a child per trial, so that a
crash, a limit or a cancellation costs that trial and nothing else."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from cambrian.errors import Incompatible, RunError
from cambrian.search.engines.confine import name_signal
from cambrian.search.engines.crew import Crew, Member
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.engines.gpus import assign_gpus
from cambrian.search.engines.wire import Broken, Cancel, Forked, Message, Ready, Start
from cambrian.settings import COUNT, check_settings

PATIENCE = 0.5
"""Seconds in which workers may end by themselves when the engine is closed."""


@dataclass(eq=False)
class Processes(Engine):
    """`workers` processes of `threads` threads each: for networks as small as these, two processes of
    one thread do more than one of two. `start` must be called by a thread that lives as long as the
    run (workers die with it). A worker that dies is replaced, and its trial reported lost. Where the device
    is "cuda" and there are several GPUs, each worker has one."""

    workers: Annotated[int, COUNT] = 2
    threads: Annotated[int, COUNT] = 1
    elsewhere: ClassVar[bool] = True
    slots: int = field(init=False)
    stillborn: int = field(default=5, init=False)
    """So many deaths in a row before a worker is ready, none other at work, and the engine gives up."""
    _crew: Crew[Assignment] | None = field(default=None, init=False)
    _reports: list[Report] = field(default_factory=list, init=False)
    _deaths: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_settings(self, "engine 'processes'")
        self.slots = self.workers

    def start(self, work: Work) -> None:
        if work.spec is None:
            raise Incompatible(
                "engine 'processes' needs a space, an estimator and a task that can be named: "
                "define them in a module that can be imported, or use engine 'serial'"
            )
        self.open(Start.of(work, self.threads))

    def open(self, greeting: Start) -> None:
        """Start workers with `greeting`, in a process that did not load the work itself."""
        self.close()
        self._deaths, self._reports = 0, []
        self._crew = Crew("cambrian.search.engines.worker", greeting, Message, self.threads)
        for environment in assign_gpus(greeting.device, self.workers, os.environ):
            self._crew.hire(environment)

    def submit(self, assignment: Assignment) -> None:
        idle = [member for member in self._members if member.job is None]
        if not idle:
            raise RuntimeError(f"submit before start, or beyond {self.slots} slots")
        # One that is still importing would begin later, and may turn out not to start at all.
        max(idle, key=lambda member: member.ready).begin(assignment)

    def wait(self, timeout: float | None = None) -> list[Report]:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._reports and self._crew is not None and self._crew.busy:
            left = None if end is None else max(0.0, end - time.monotonic())
            senders = self._crew.listen(left)
            for member in senders:
                self._take(self._crew, member)
            if not senders and left is not None and left <= 0.0:
                break
        reports, self._reports = self._reports, []
        return reports

    def cancel(self, number: int) -> None:
        for member in self._members:
            if member.job is not None and member.job.trial.number == number:
                member.send(Cancel(number))

    def close(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close(PATIENCE)  # a worker that finds its channel closed kills its child and exits

    @property
    def _members(self) -> list[Member[Assignment]]:
        return [] if self._crew is None else self._crew.members

    def _take(self, crew: Crew[Assignment], member: Member[Assignment]) -> None:
        messages = member.receive()
        if messages is None:
            self._replace(crew, member)
            return
        for message in messages:
            if isinstance(message, Ready):
                member.ready, self._deaths = True, 0
            elif isinstance(message, Forked):
                member.child = message.pid
            elif isinstance(message, Broken):
                raise RunError(f"a worker process cannot start: {message.error}")
            elif isinstance(message, Report):
                self._reports.append(message)
                if message.point is None:
                    member.job = member.child = None

    def _replace(self, crew: Crew[Assignment], member: Member[Assignment]) -> None:
        """Report the trial of a dead worker as lost, and start another worker in its place."""
        end = _describe_end(crew.dismiss(member, 1.0))
        if member.job is not None:
            number, attempt = member.job.trial.number, member.job.attempt
            self._reports.append(Report(number, attempt, lost=f"its worker {end}"))
        # Only deaths before it was ready count: a trial may kill the worker of a search that can go on.
        self._deaths += not member.ready
        # While another one is at work, workers can start: these deaths have a cause outside, and may end.
        if self._deaths >= self.stillborn and not any(other.ready for other in crew.members):
            raise RunError(
                f"{self._deaths} worker processes in a row died while starting; the last one {end} and "
                f"said on standard error:\n{member.last_words or 'nothing'}"
            )
        crew.hire(member.environment)  # on the GPU of the dead one


def _describe_end(status: int) -> str:
    if status < 0:
        return f"was killed by {name_signal(-status)}"
    return f"exited with code {status}"
