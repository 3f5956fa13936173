"""A worker's end of the child that evaluates a trial: start it, hear it, report how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import msgspec

from cambrian.outcome import Crashed, Infeasible, Outcome, Point
from cambrian.search.engines.child import live
from cambrian.search.engines.confine import count_oom_kills, fork_child, kill_group, name_signal
from cambrian.search.engines.crew import PIECE, TAIL
from cambrian.search.engines.engine import Assignment, Report, Work
from cambrian.search.engines.evaluation import out_of_memory, too_late
from cambrian.search.engines.frames import Inbox
from cambrian.search.engines.wire import Imported, Message

READS = 16
"""Pieces of standard error taken at a time: a child that writes without end must not keep the worker from
the clock."""

REPORTS = 1000
"""Reports taken at a time, for the same reason."""

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class TrialProcess:
    """Forks on construction; `private` are the worker's own descriptors, closed in the child, so that
    nobody but the worker keeps the channel to the engine open."""

    def __init__(self, work: Work, assignment: Assignment, private: list[int]) -> None:
        self.assignment, self._work = assignment, work
        self.reports, reports_end = os.pipe()
        self.stderr, stderr_end = os.pipe()
        # Both before the fork: the child's time and end must not come before them.
        self._started = time.monotonic()
        self._oom_kills = count_oom_kills()
        worker = os.getpid()  # before the fork: a child whose parent is gone by then has another
        self.pid = fork_child(
            lambda: live(work, assignment, worker, reports_end, stderr_end),
            private=[*private, self.reports, self.stderr],
        )
        with contextlib.suppress(OSError):  # the child does the same: whoever comes first
            os.setpgid(self.pid, self.pid)
        for descriptor in (reports_end, stderr_end):
            os.close(descriptor)  # the child's ends: while they are open here, the pipes do not end with it
        for descriptor in (self.reports, self.stderr):
            os.set_blocking(descriptor, False)
        self._status: int | None = None  # of waitpid
        self.imported: list[str] = []  # modules, once it is at its end
        self._ended: set[int] = set()  # descriptors at whose other end nobody is left
        self._inbox = Inbox(Message)
        self._tail = bytearray()
        self._curve: list[Point] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def left(self) -> float | None:
        """Seconds until the time limit, None without one."""
        return None if self._work.timeout is None else self._work.timeout - self.seconds

    @property
    def number(self) -> int:
        return self.assignment.trial.number

    def descriptors(self, reports: bool) -> list[int]:
        """The descriptors to wait on; without `reports`, those are left in their pipe."""
        wanted = [self.reports, self.stderr] if reports else [self.stderr]
        return [descriptor for descriptor in wanted if descriptor not in self._ended]

    def listen(self, everything: bool = False) -> list[Report]:
        """The child's reports since the last call; an outcome or a loss is the last of them. Of a child that
        reports without end only some, unless `everything`."""
        reports: list[Report] = []
        while data := self._read(self.reports):
            try:
                messages = self._inbox.feed(data)
            except msgspec.MsgspecError as error:
                # The user's code wrote into a descriptor that it does not own: its own fault, and no loss.
                return [*reports, self._report(outcome=Crashed(f"the report cannot be read: {error}"))]
            for message in messages:
                if isinstance(message, Imported):
                    self.imported = message.names
                if not isinstance(message, Report):
                    continue
                reports.append(message)
                if message.last:  # all after it is noise: an attempt ends once
                    return reports
                if message.point is not None:
                    self._curve.append(message.point)
            if len(reports) > REPORTS and not everything:
                break
        return reports

    def hear(self) -> None:
        """Take in its standard error, and keep the end."""
        for _ in range(READS):
            data = self._read(self.stderr)
            if not data:
                break
            self._tail = (self._tail + data)[-TAIL:]

    @property
    def dead(self) -> bool:
        """Whether it ended by itself; it stays a zombie, so that its process group keeps its number."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        # On macOS before Python 3.13 it can be asked only by taking it away.
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def kill(self) -> int:
        """End it and all it started, if anything still runs. Returns the status of waitpid."""
        kill_group(self.pid)
        if self._status is None:
            _, self._status = os.waitpid(self.pid, 0)
        return self._status

    def release(self) -> None:
        """Close this end of the pipes, once all is read."""
        for descriptor in (self.reports, self.stderr):
            os.close(descriptor)

    def report_late(self) -> Report:
        """The outcome of a child that was killed at the time limit."""
        return self._report(outcome=too_late(self._work.timeout, tuple(self._curve), self.seconds))

    def report_lost(self, why: str) -> Report:
        return self._report(lost=why)

    def report_end(self, status: int) -> Report:
        """The last report of a child that ended with `status` and without an outcome."""
        tail = self._tail.decode("utf-8", "backslashreplace")
        if os.WIFEXITED(status):
            error = f"the process exited with code {os.WEXITSTATUS(status)} and without a result"
            return self._report(outcome=Crashed(error, tail, self.seconds))
        number = os.WTERMSIG(status)
        name = f"{name_signal(number)} ({signal.strsignal(number)})"
        # Memory first: the kernel's kill for want of it looks like anybody's SIGKILL. The count is the whole
        # machine's, so a kill from outside may be taken for it while another process runs out of memory.
        if number == signal.SIGKILL and count_oom_kills() > self._oom_kills:
            detail = "the machine ran out of memory and the kernel ended the process"
            return self._report(outcome=Infeasible("oom", detail, tuple(self._curve), self.seconds))
        if number in _FROM_OUTSIDE:
            return self.report_lost(f"its process was killed by {name} from outside")
        # C++ code aborts on an allocation that fails; its message is the only difference from a crash.
        if number == signal.SIGABRT and out_of_memory(tail):
            detail = tail.strip().splitlines()[0][:500]
            return self._report(outcome=Infeasible("oom", detail, tuple(self._curve), self.seconds))
        return self._report(outcome=Crashed(f"the process was ended by {name}", tail, self.seconds))

    def _read(self, descriptor: int) -> bytes:
        try:
            data = os.read(descriptor, PIECE)
        except BlockingIOError:
            return b""
        if not data:
            self._ended.add(descriptor)
        return data

    def _report(self, outcome: Outcome | None = None, lost: str | None = None) -> Report:
        return Report(self.number, self.assignment.attempt, outcome=outcome, lost=lost)
