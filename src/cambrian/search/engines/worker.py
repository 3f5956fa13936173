"""The command of a local worker: `python -m cambrian.search.engines.worker DESCRIPTOR PARENT`.

It rebuilds space, estimator and task from their specs, which imports what they need once, and then
forks a child for every trial. While a child runs the worker does nothing but watch it, so that it can
always kill it: at the time limit, when told to, and when the coordinator is gone.
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

from cambrian.errors import CambrianError
from cambrian.estimators import ESTIMATORS
from cambrian.problem import Problem
from cambrian.search.engines.crew import PIECE, TAIL, join_crew
from cambrian.search.engines.engine import Assignment, Report, Work, prepare
from cambrian.search.engines.frames import Inbox, pack
from cambrian.search.engines.trial_process import TrialProcess
from cambrian.search.engines.wire import Broken, Cancel, Forked, Message, Ready, Start
from cambrian.spaces import SPACES

BACKLOG = 1 << 20
"""Bytes not yet taken by the coordinator beyond which a child's reports are left in its pipe."""


def load(start: Start) -> Work:
    """The work a spec describes, with all imported that its evaluations will need."""
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
    )


class Worker:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._inbox, self._outbox = Inbox(Message), bytearray()
        self._early: list[Message] = []  # what came together with the first message
        self._trial: TrialProcess | None = None
        self._unknown: list[str] = []  # modules that the last child imported
        self._wake, self._wake_end = socket.socketpair()  # readable when a child ended
        for end in (self._wake, self._wake_end):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the coordinator hangs up."""
        start = self._first()
        try:
            self._work = load(start)
        except BaseException as error:
            self._channel.sendall(pack(Broken(_why(error))))
            raise
        self._settle()
        self._channel.setblocking(False)
        self._send(Ready())
        for message in self._early:
            self._do(message)
        while True:
            self._write()
            self._learn()
            self._sleep()
            self._obey()
            self._watch()

    def _first(self) -> Start:
        while data := self._channel.recv(PIECE):
            messages = self._inbox.feed(data)
            if messages:
                self._early = messages[1:]
                assert isinstance(messages[0], Start)
                return messages[0]
        raise SystemExit

    def _learn(self) -> None:
        """Import what the last child had to, so that its successors need not: a first training imports
        some 800 modules, which takes longer than many a training."""
        names, self._unknown = self._unknown, []
        for name in names:
            with contextlib.suppress(Exception, SystemExit):  # made up at run time, most of them
                importlib.import_module(name)
        if names:
            self._settle()

    def _settle(self) -> None:
        gc.collect()
        gc.freeze()  # children share these pages as long as no collector touches them

    def _sleep(self) -> None:
        """Until there is something to read, a child ended, or the time limit is reached."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        poll.register(self._wake, select.POLLIN)
        left = None
        if self._trial is not None:
            left = self._trial.left
            for descriptor in self._trial.descriptors(reports=len(self._outbox) < BACKLOG):
                poll.register(descriptor, select.POLLIN)
        poll.poll(None if left is None else max(0, int(left * 1000) + 1))
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(1 << 10)

    def _obey(self) -> None:
        try:
            data = self._channel.recv(PIECE)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._hang_up()
        for message in self._inbox.feed(data):
            self._do(message)

    def _do(self, message: Message) -> None:
        if isinstance(message, Assignment):
            self._begin(message)
        elif isinstance(message, Cancel) and self._trial and self._trial.number == message.number:
            self._trial.kill()
            self._end(self._trial.lost("cancelled"))

    def _begin(self, assignment: Assignment) -> None:
        private = [self._channel.fileno(), self._wake.fileno(), self._wake_end.fileno()]
        self._trial = TrialProcess(self._work, assignment, private)
        self._send(Forked(assignment.trial.number, self._trial.pid))

    def _watch(self) -> None:
        trial = self._trial
        if trial is None:
            return
        trial.hear()
        dead = trial.dead
        late = trial.left is not None and trial.left <= 0
        status = trial.kill() if dead or late else 0
        if not (dead or late) and len(self._outbox) >= BACKLOG:
            return
        reports = trial.listen(everything=dead or late)
        last = reports.pop() if reports and reports[-1].last else None
        for report in reports:
            self._send(report)
        if last is not None and not (dead or late):
            trial.kill()
        elif last is None and (dead or late):
            trial.hear()
            last = trial.verdict(status) if dead else trial.late()
        if last is not None:
            self._end(last)

    def _end(self, report: Report) -> None:
        assert self._trial is not None
        self._trial.release()
        self._unknown = self._trial.imported
        self._trial = None
        self._send(report)

    def _send(self, message: Message) -> None:
        self._outbox += pack(message)

    def _write(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: self._channel.send(self._outbox)]
        except BlockingIOError:
            return
        except ConnectionError:
            self._hang_up()

    def _hang_up(self) -> NoReturn:
        """The coordinator is gone, and with it whoever wanted to know."""
        if self._trial is not None:
            self._trial.kill()
        os._exit(0)


def _why(error: BaseException) -> str:
    if isinstance(error, CambrianError):
        return str(error)
    return "".join(traceback.format_exception(error))[-TAIL:].strip()


def main() -> None:
    Worker(join_crew()).run()


if __name__ == "__main__":
    main()
