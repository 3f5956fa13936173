"""A seat: the place on some machine of a cluster where one trial runs at a time.

It holds the engine `processes` with a single worker, so that crashes, limits and cancellations are what they
are on one machine. All that comes and goes is bytes: messages as `wire` has them, the data, and artifacts,
which lie in a folder of the seat's own under their hashes. No file system is shared with the coordinator.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import CambrianError, RunError
from cambrian.outcome import Artifact, Done
from cambrian.search.engines.engine import Assignment, Report
from cambrian.search.engines.evaluation import describe_refusal
from cambrian.search.engines.processes import Processes
from cambrian.search.engines.wire import Broken, Start
from cambrian.search.ledger.keys import trial_name
from cambrian.search.ledger.lock import LOCK, Lock
from cambrian.search.ledger.store import ARTIFACTS, DRAFTS, SUFFIXES

CACHE = 1 << 30
"""Bytes of artifacts kept from one trial to the next: children of a supernet all begin with the same file."""

PREFIX = "cambrian-seat-"

Files = Mapping[str, Any]
"""Files by name, each as bytes, or as a reference to them that `fetch` resolves."""


class Seat:
    """`start` is a message `Start` without places, `data` the files of the task by name, and `paths` the
    coordinator's places to import from, used as far as they exist here."""

    def __init__(
        self, start: bytes, data: Files, paths: Sequence[str], fetch: Callable[[Any], bytes] = bytes
    ) -> None:
        sys.path += [path for path in paths if path not in sys.path and os.path.isdir(path)]
        _remove_orphans(Path(tempfile.gettempdir()))
        self._place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._lock: Lock | None = Lock(self._place)
        self._fetch = fetch
        greeting = self._settle(decode(start, Start), data)
        self._engine = Processes(workers=1, threads=greeting.threads)
        self._engine.open(greeting)
        self._assignment: Assignment | None = None
        self._refused: Report | None = None

    def describe(self) -> bytes:
        """The version of cambrian here, which must be the coordinator's."""
        return encode(read_version())

    def begin(self, assignment: bytes, artifacts: Files) -> None:
        """Begin a trial. `artifacts` are the files that it begins with, by `Artifact.file`; those that lie
        here already are not fetched."""
        order: Assignment = decode(assignment, Assignment)
        if order.deadline is not None:
            # Sent as the seconds left, since the clocks of two machines have nothing in common.
            order = msgspec.structs.replace(order, deadline=order.deadline + time.monotonic())
        try:
            self._lay_out(order.artifacts, artifacts)
        except OSError as error:
            refusal = describe_refusal(error)
            if refusal is None:
                raise
            # As of a run's disk: that of this machine is full, for which no architecture is to blame.
            refusal = f"on the machine {socket.gethostname()} {refusal}"
            self._refused = Report(order.trial.number, order.attempt, refused=refusal)
            return
        self._assignment = order
        self._engine.submit(order)

    def listen(self, seconds: float) -> tuple[bytes, dict[str, bytes]]:
        """The news of the trial within `seconds`, and, with its end, the files that it left."""
        if self._refused is not None:
            refused, self._refused = self._refused, None
            return encode([refused]), {}
        try:
            reports: list[Report] = self._engine.wait(seconds)
        except CambrianError as error:
            return encode([Broken(str(error))]), {}
        last = next((report for report in reports if report.last), None)
        return encode(reports), {} if last is None else self._clear(isinstance(last.outcome, Done))

    def cancel(self, number: int) -> None:
        self._engine.cancel(number)

    def close(self) -> None:
        """Kill the trial and remove all files."""
        self._engine.close()
        shutil.rmtree(self._place, ignore_errors=True)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _settle(self, start: Start, data: Files) -> Start:
        """The message with the places of this machine."""
        spec = dict(start.spec)
        if spec["task"] is not None:
            spec["task"] = str(self._place / "task")
            for name, content in data.items():
                _write(self._place / "task" / name, self._fetch(content))
        directory = None if start.directory is None else str(self._place)
        return msgspec.structs.replace(start, spec=spec, directory=directory)

    def _lay_out(self, needed: Mapping[str, Artifact], contents: Files) -> None:
        """Put the files of the `needed` artifacts where an evaluation looks for them."""
        files = {artifact.file for artifact in needed.values()}
        place = self._place / ARTIFACTS
        kept = list(place.iterdir()) if place.is_dir() else []
        if sum(file.stat().st_size for file in kept) > CACHE:
            for file in kept:
                if f"{ARTIFACTS}/{file.name}" not in files:
                    file.unlink()
        for name in files & contents.keys():
            if not (self._place / name).exists():
                _write(self._place / name, self._fetch(contents[name]))

    def _clear(self, succeeded: bool) -> dict[str, bytes]:
        """Remove the folders of the trial that ended. Returns the files that it left, where it succeeded."""
        order, self._assignment = self._assignment, None
        if order is None:
            return {}
        name = trial_name(order.trial)
        draft = self._place / DRAFTS / f"{name}-{order.attempt}"
        left = draft.iterdir() if succeeded and draft.is_dir() else ()
        files = [file for file in left if file.suffix in SUFFIXES]
        contents = {file.name: file.read_bytes() for file in files}
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self._place / "checkpoints" / name, ignore_errors=True)
        return contents


def read_version() -> str:
    """The version of cambrian on this machine."""
    return version("cambrian")


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _remove_orphans(folder: Path) -> None:
    """Remove the folders of seats that were killed, with their machine or without. By their locks, since a
    number of a process means nothing in another container, and may be another process's later."""
    for place in filter(_is_own, folder.glob(f"{PREFIX}*")):
        if (place / LOCK).exists():  # else it is being made
            with suppress(RunError):  # a living seat's
                orphan = Lock(place)
                shutil.rmtree(place, ignore_errors=True)
                orphan.release()


def _is_own(place: Path) -> bool:
    """Whether it is a folder of this user's: into another's, a lock could be a link to any file."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
