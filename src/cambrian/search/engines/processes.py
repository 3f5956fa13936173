"""Evaluations in local processes: each worker (see `worker`) forks a child per trial, so that a
crash, a limit or a cancellation costs that trial and nothing else."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

import msgspec

from cambrian.errors import Incompatible, RunError
from cambrian.search.engines.confine import kill_group
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.engines.wire import Broken, Cancel, Forked, Inbox, Message, Ready, Start, pack

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(eq=False)
class Processes(Engine):
    """`workers` processes of `threads` threads each: for networks as small as these, two processes of
    one thread do more than one of two. `start` must be called by a thread that lives as long as the
    run (workers die with it). A worker that dies is replaced, and its trial reported lost."""

    workers: int = 2
    threads: int = 1
    slots: int = field(init=False)
    stillborn: int = field(default=5, init=False)
    """So many deaths in a row before a worker is ready, and the engine gives up."""
    _work: Work | None = field(default=None, init=False)
    _crew: list[_Worker] = field(default_factory=list, init=False)
    _reports: list[Report] = field(default_factory=list, init=False)
    _deaths: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.slots = self.workers

    def start(self, work: Work) -> None:
        if work.spec is None:
            raise Incompatible(
                "engine 'processes' needs a space, an estimator and a task that can be named: "
                "define them in a module that can be imported, or use engine 'serial'"
            )
        self.close()
        self._work, self._deaths, self._reports = work, 0, []
        for _ in range(self.workers):
            self._crew.append(_Worker(work, self.threads))

    def submit(self, assignment: Assignment) -> None:
        idle = [worker for worker in self._crew if worker.assignment is None]
        if not idle:
            raise RuntimeError(f"submit before start, or beyond {self.slots} slots")
        max(idle, key=lambda worker: worker.ready).begin(assignment)

    def wait(self, timeout: float | None = None) -> list[Report]:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._reports and any(worker.assignment for worker in self._crew):
            left = None if end is None else max(0.0, end - time.monotonic())
            heard = self._listen(left)
            if not heard and left is not None and left <= 0.0:
                break
        reports, self._reports = self._reports, []
        return reports

    def cancel(self, number: int) -> None:
        for worker in self._crew:
            if worker.assignment is not None and worker.assignment.trial.number == number:
                worker.send(Cancel(number))

    def close(self) -> None:
        crew, self._crew = self._crew, []
        for worker in crew:
            worker.channel.close()  # it kills its child and exits
        end = time.monotonic() + 0.5
        for worker in crew:
            worker.bury(max(0.0, end - time.monotonic()))

    def _listen(self, timeout: float | None) -> bool:
        with selectors.DefaultSelector() as selector:
            for worker in self._crew:
                selector.register(worker.channel, selectors.EVENT_READ, worker)
                if not worker.mute:
                    selector.register(worker.stderr, selectors.EVENT_READ, worker)
            ready = {key.fileobj: key.data for key, _ in selector.select(timeout)}
        for source, worker in ready.items():
            if source is worker.stderr:
                worker.hear()
        for source, worker in ready.items():
            if source is worker.channel:
                self._take(worker)
        return bool(ready)

    def _take(self, worker: _Worker) -> None:
        messages = worker.receive()
        if messages is None:
            self._replace(worker)
            return
        for message in messages:
            if isinstance(message, Ready):
                worker.ready, self._deaths = True, 0
            elif isinstance(message, Forked):
                worker.child = message.pid
            elif isinstance(message, Broken):
                raise RunError(f"a worker process cannot start: {message.error}")
            elif isinstance(message, Report):
                self._reports.append(message)
                if message.point is None:
                    worker.assignment = worker.child = None

    def _replace(self, worker: _Worker) -> None:
        """Report what a dead worker was doing as lost, and start another in its place."""
        assert self._work is not None
        end = worker.bury(1.0)
        if worker.assignment is not None:
            trial, attempt = worker.assignment.trial, worker.assignment.attempt
            self._reports.append(Report(trial.number, attempt, lost=f"its worker {end}"))
        self._deaths += not worker.ready
        self._crew.remove(worker)
        if self._deaths >= self.stillborn:
            said = worker.tail.decode("utf-8", "backslashreplace").strip() or "nothing"
            raise RunError(
                f"{self._deaths} worker processes in a row died while starting; the last one {end} and "
                f"said on standard error:\n{said}"
            )
        self._crew.append(_Worker(self._work, self.threads))


class _Worker:
    """The coordinator's end of one worker process. Popen and no fork: threads may be running here."""

    def __init__(self, work: Work, threads: int) -> None:
        assert work.spec is not None
        self.assignment: Assignment | None = None
        self.child: int | None = None
        self.ready = self.mute = False
        self.tail = bytearray()
        self._inbox = Inbox()
        self.channel, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "cambrian.search.engines.worker"]
        self._process = subprocess.Popen(
            [*command, str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            env=environment(threads),
            start_new_session=True,  # Ctrl-C is the coordinator's to answer
        )
        theirs.close()
        assert self._process.stderr is not None
        self.stderr = self._process.stderr
        os.set_blocking(self.stderr.fileno(), False)
        self.send(Start.of(work, threads))

    def begin(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.send(assignment)

    def send(self, message: Message) -> None:
        with contextlib.suppress(ConnectionError):  # it is dead, as `receive` will find
            self.channel.sendall(pack(message))

    def receive(self) -> list[Message] | None:
        """What it sent, or None when it is dead."""
        try:
            data = self.channel.recv(1 << 16)
            return self._inbox.feed(data) if data else None
        except (ConnectionError, msgspec.MsgspecError):
            return None

    def hear(self) -> None:
        """Keep the end of what it says on standard error."""
        try:
            data = os.read(self.stderr.fileno(), 1 << 16)
        except BlockingIOError:
            return
        self.mute = not data
        self.tail = (self.tail + data)[-8192:]

    def bury(self, patience: float) -> str:
        """See to it that within `patience` seconds neither it nor its child runs; say how it ended."""
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
        status = self._process.wait()
        if self.child is not None and status != 0:  # an orderly exit has done that
            kill_group(self.child)
        self.hear()
        self.stderr.close()
        self.channel.close()
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"exited with code {status}"


def environment(threads: int) -> dict[str, str]:
    """Workers import from where this process does, and compute on as many threads as they were given."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    few = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    # A module that asks torch for GPUs while it is imported would start CUDA in the worker, which no
    # child could use any more; with this, torch asks the driver's library and starts nothing.
    return {**os.environ, **few, "PYTHONPATH": path, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
