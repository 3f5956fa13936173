"""The command of a local worker: `python -m cambrian.search.engines.worker DESCRIPTOR PARENT`.

It rebuilds space, estimator and task from their specs, which imports their modules once, and then
forks a child for every trial. While a child runs the worker does nothing but watch it, so that it can
always kill it: at the time limit, when it is cancelled, and when the engine is gone.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import traceback
from pathlib import Path
from typing import NoReturn

import msgspec

from cambrian.errors import CambrianError
from cambrian.estimators import ESTIMATORS
from cambrian.estimators.estimator import Holds
from cambrian.outcome import Done
from cambrian.problem import Problem
from cambrian.search.engines.crew import PIECE, TAIL, join_crew
from cambrian.search.engines.engine import Assignment, Report, Work
from cambrian.search.engines.evaluation import prepare, threads
from cambrian.search.engines.frames import Inbox, pack
from cambrian.search.engines.trial_process import TrialProcess
from cambrian.search.engines.wire import Broken, Cancel, Forked, Message, Ready, Start
from cambrian.spaces import SPACES

BACKLOG = 1 << 20
"""Bytes not yet taken by the engine beyond which a child's reports are left in its pipe: a full pipe stops
the child, and nobody's memory grows."""

LONGEST_SLEEP = 86400.0
"""Seconds after which a worker wakes though nothing has happened: `poll` takes no more than 24 days, and a
time limit may be longer."""


def load(start: Start) -> Work:
    """The work that a spec describes, with all modules imported that its evaluations will need."""
    task = None
    if start.spec["task"] is not None:
        from cambrian.tasks.task import Task

        task = Task.open(Path(start.spec["task"]))
    problem = Problem.of(SPACES.make(start.spec["space"]), start.problem)
    estimators = {name: ESTIMATORS.make(spec) for name, spec in start.spec["estimators"].items()}
    for estimator in estimators.values():
        prepare(estimator)
    return Work(
        problem,
        estimators,
        task,
        start.final,
        start.device,
        None if start.directory is None else Path(start.directory),
        start.spec,
        start.timeout,
        start.memory,
        start.threads,
        start.continues,
    )


class Worker:
    """Runs one trial at a time, each in a child. Messages to an engine that is busy wait in `_outbox`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._inbox, self._outbox = Inbox(Message), bytearray()
        self._early: list[Message] = []  # messages that came together with the first one
        self._trial: TrialProcess | None = None
        self._unknown: list[str] = []  # modules that the last child imported
        self._done: Assignment | None = None  # the last child's, until the estimator was asked to hold it
        self._wake, self._wake_end = socket.socketpair()  # readable when a child ended
        for end in (self._wake, self._wake_end):
            end.setblocking(False)
        # A child's end must wake `poll`. An ignored signal writes nothing: SIGCHLD needs a handler, if empty.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the engine hangs up."""
        start = self._read_start()
        try:
            self._work = load(start)
        except BaseException as error:  # SystemExit of a user's module too: its text is the reason
            self._channel.sendall(pack(Broken(_explain(error))))
            raise
        self._freeze_memory()
        # From here on no call may block but `poll`, which sees the clock and the child too.
        self._channel.setblocking(False)
        self._send(Ready())
        for message in self._early:
            self._obey(message)
        # Imports come after the last report is written and before the sleep: while the engine thinks.
        while True:
            self._write()
            self._import_unknown()
            self._hold_for_others()
            self._sleep()
            self._read()
            self._watch()

    def _read_start(self) -> Start:
        """Wait for the first message, and keep those that came with it."""
        while data := self._channel.recv(PIECE):
            messages = self._inbox.feed(data)
            if messages:
                self._early = messages[1:]
                assert isinstance(messages[0], Start)
                return messages[0]
        raise SystemExit

    def _import_unknown(self) -> None:
        """Import the modules that the last child had to, so that its successors need not: a first training
        imports some 800 modules, which takes longer than many a training."""
        names, self._unknown = self._unknown, []
        for name in names:
            with contextlib.suppress(Exception, SystemExit):  # made up at run time, most of them
                importlib.import_module(name)
        if names:
            self._freeze_memory()

    def _hold_for_others(self) -> None:
        """Keep what the last child had to make for itself, if its estimator shares such things: to load a
        supernet takes as long as to score with it."""
        assignment, self._done = self._done, None
        # A GPU cannot be used on both sides of a fork.
        if assignment is None or self._trial is not None or self._work.device.startswith("cuda"):
            return
        estimator = self._work.estimator(assignment.trial)
        if not isinstance(estimator, Holds):
            return
        # Without its draft: that is the ended child's, and is being adopted.
        job = self._work.job(msgspec.structs.replace(assignment, keep=False))
        with contextlib.suppress(Exception), threads(1):
            if estimator.hold(job):
                self._freeze_memory()

    def _freeze_memory(self) -> None:
        gc.collect()  # first, since garbage that is frozen stays for ever
        gc.freeze()  # children share these pages as long as no collector touches them

    def _sleep(self) -> None:
        """Wait until there is something to read, a child ended, or the time limit is reached."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        poll.register(self._wake, select.POLLIN)
        left = None
        if self._trial is not None:
            left = self._trial.left
            for descriptor in self._trial.descriptors(reports=len(self._outbox) < BACKLOG):
                poll.register(descriptor, select.POLLIN)
        # Milliseconds, rounded up: rounded down it would wake just before the limit, again and again.
        poll.poll(None if left is None else max(0, int(min(left, LONGEST_SLEEP) * 1000) + 1))
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(1 << 10)

    def _read(self) -> None:
        """Do as the engine's messages say; end where it hung up."""
        try:
            data = self._channel.recv(PIECE)
        except BlockingIOError:
            return
        except ConnectionError:  # it was killed with messages of this worker unread
            data = b""
        if not data:
            self._hang_up()
        for message in self._inbox.feed(data):
            self._obey(message)

    def _obey(self, message: Message) -> None:
        if isinstance(message, Assignment):
            self._begin(message)
        # A cancellation may cross the last report of its trial: then another trial, or none, is running.
        elif isinstance(message, Cancel) and self._trial and self._trial.number == message.number:
            self._trial.kill()
            self._end(self._trial.report_lost("cancelled"))

    def _begin(self, assignment: Assignment) -> None:
        private = [self._channel.fileno(), self._wake.fileno(), self._wake_end.fileno()]
        self._trial = TrialProcess(self._work, assignment, private)
        self._send(Forked(assignment.trial.number, self._trial.pid))

    def _watch(self) -> None:
        """Pass on the child's reports, and end it where it is done, dead or late."""
        trial = self._trial
        if trial is None:
            return
        trial.hear()
        # Asked before its reports are read: all that a dead child wrote is in the pipe by then.
        dead = trial.dead
        late = trial.left is not None and trial.left <= 0
        status = trial.kill() if dead or late else 0
        if not (dead or late) and len(self._outbox) >= BACKLOG:
            return
        reports = trial.listen(everything=dead or late)
        # An outcome that was written in time counts, even of a child that died or was late since.
        last = reports.pop() if reports and reports[-1].last else None
        for report in reports:
            self._send(report)
        if last is not None and not (dead or late):
            trial.kill()  # with the processes that it started, which its own exit would leave behind
        elif last is None and (dead or late):
            trial.hear()  # its last words may have come since
            last = trial.report_end(status) if dead else trial.report_late()
        if last is not None:
            self._end(last)

    def _end(self, report: Report) -> None:
        assert self._trial is not None
        self._trial.release()
        # Of a child that succeeded: what ends a child would end this process too.
        self._done = self._trial.assignment if isinstance(report.outcome, Done) else None
        self._unknown = self._trial.imported
        self._trial = None
        self._send(report)

    def _send(self, message: Message) -> None:
        self._outbox += pack(message)

    def _write(self) -> None:
        """Send as much of the outbox as the channel takes now."""
        try:
            while self._outbox:
                del self._outbox[: self._channel.send(self._outbox)]
        except BlockingIOError:
            return
        except ConnectionError:
            self._hang_up()

    def _hang_up(self) -> NoReturn:
        """End, and the child first: the engine is gone, and nobody wants its outcome."""
        if self._trial is not None:
            self._trial.kill()
        os._exit(0)


def _explain(error: BaseException) -> str:
    if isinstance(error, CambrianError):
        return str(error)
    return "".join(traceback.format_exception(error))[-TAIL:].strip()


def main() -> None:
    Worker(join_crew()).run()


if __name__ == "__main__":
    main()
