"""Worker processes of this machine: started, spoken to in messages, and buried when they end.

A crew's owner shares out the jobs and answers for those of the dead. The engine `processes`
keeps one for trials, the referee one for whole searches.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from cambrian.errors import RunError
from cambrian.search.engines.confine import die_with_parent, kill_group
from cambrian.search.engines.frames import Inbox, pack

J = TypeVar("J")

TAIL = 8192
"""Bytes kept of the end of a process's standard error."""

PIECE = 1 << 16
"""Bytes read from a channel or pipe at a time: as many as a pipe of Linux holds."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Crew(Generic[J]):
    """Processes that run `python -m module`, each of `threads` threads and sent `greeting` first of all.
    They answer in messages of type `kind`. Members must be hired by a thread that lives as long as they
    shall (see `die_with_parent`)."""

    def __init__(self, module: str, greeting: Any, kind: Any, threads: int = 1) -> None:
        self._module, self._greeting, self._kind, self._threads = module, greeting, kind, threads
        self.members: list[Member[J]] = []

    @property
    def busy(self) -> bool:
        """Whether any member has a job."""
        return any(member.job is not None for member in self.members)

    def hire(self, environment: Mapping[str, str] | None = None) -> Member[J]:
        """Start one more worker process, whose environment has these variables beside this process's. Raises
        RunError where the system starts none."""
        member = Member[J](self._module, self._kind, self._threads, environment or {})
        self.members.append(member)
        member.send(self._greeting)
        return member

    def listen(self, timeout: float | None = None) -> list[Member[J]]:
        """The members that sent something, or ended, within `timeout` seconds: `receive` from each. May
        return early with none, when one of them wrote to standard error."""
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                selector.register(member.channel, selectors.EVENT_READ, member)
                if not member.mute:
                    selector.register(member.stderr, selectors.EVENT_READ, member)
            ready = [(key.fileobj, key.data) for key, _ in selector.select(timeout)]
        # Standard error first: the last words of a member that has just died are quoted afterwards.
        for source, member in ready:
            if source is member.stderr:
                member.hear()
        return [member for source, member in ready if source is member.channel]

    def dismiss(self, member: Member[J], patience: float) -> int:
        """Strike a member off and see to its end. Returns its exit status, negative for a signal."""
        self.members.remove(member)
        return member.bury(patience)

    def close(self, patience: float) -> None:
        """Hang up on all members; those that still run after `patience` seconds are killed."""
        members, self.members = self.members, []
        # All channels before the first burial, so that members end side by side and not in turn.
        for member in members:
            member.channel.close()
        end = time.monotonic() + patience
        for member in members:
            member.bury(max(0.0, end - time.monotonic()))


class Member(Generic[J]):
    """The owner's end of one worker process, whose `environment` has variables of its own. `job` is its
    present one; `ready` and `child`, a process group that it leads and that must not outlive it, are kept by
    an owner whose workers tell of them."""

    def __init__(self, module: str, kind: Any, threads: int, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.job: J | None = None
        self.ready = False
        self.child: int | None = None
        self.mute = False  # standard error has ended: selecting on it would return at once, for ever
        self._tail = bytearray()
        self._inbox = Inbox(kind)
        try:
            self.channel, self._process = _start(module, {**_environment(threads), **environment})
        except OSError as error:  # open files, processes, memory: each has its limit
            raise RunError(
                f"the system does not start another worker process: {error.strerror or error};"
                " fewer workers may do"
            ) from error
        assert self._process.stderr is not None
        self.stderr = self._process.stderr
        os.set_blocking(self.stderr.fileno(), False)

    @property
    def last_words(self) -> str:
        """The end of its standard error."""
        return self._tail.decode("utf-8", "backslashreplace").strip()

    def begin(self, job: J) -> None:
        self.job = job
        self.send(job)

    def send(self, message: Any) -> None:
        with contextlib.suppress(ConnectionError):  # it is dead, as `receive` will find
            self.channel.sendall(pack(message))

    def receive(self) -> list[Any] | None:
        """The messages that it completed since the last call, or None when it is dead. One that sends
        noise counts as dead: its later messages could not be told from noise."""
        try:
            data = self.channel.recv(PIECE)
            return self._inbox.feed(data) if data else None
        except (ConnectionError, msgspec.MsgspecError):
            return None

    def hear(self) -> None:
        """Take in standard error, so that the pipe never fills and stops it, and keep the end."""
        try:
            data = os.read(self.stderr.fileno(), PIECE)
        except BlockingIOError:
            return
        self.mute = not data
        self._tail = (self._tail + data)[-TAIL:]

    def bury(self, patience: float) -> int:
        """See to it that within `patience` seconds neither it nor its child runs. Returns its exit status."""
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
        return status


def _start(module: str, environment: dict[str, str]) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A process that runs the module, and the channel to it. Raises OSError, and then leaves nothing open."""
    ours, theirs = socket.socketpair()
    with theirs, contextlib.ExitStack() as undo:
        undo.callback(ours.close)
        # Popen and no fork: threads may be running here, and a fork copies their locks without them.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            env=environment,
            start_new_session=True,  # Ctrl-C is the owner's to answer
        )
        undo.pop_all()
    return ours, process


def join_crew() -> socket.socket:
    """The channel to the owner of the crew, in a process that a crew started as a member."""
    descriptor, parent = map(int, sys.argv[1:])
    die_with_parent(parent)
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)  # else the channel stays open as long as any process that it starts
    return channel


def _environment(threads: int) -> dict[str, str]:
    """Workers import from where this process does, and compute on as many threads as they were given."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    few = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    # A module that asks torch for GPUs while it is imported would start CUDA in the worker, which no
    # child could use any more; with this, torch asks the driver's library and starts nothing.
    return {**os.environ, **few, "PYTHONPATH": path, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
