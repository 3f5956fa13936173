"""At most one process works in a run directory."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from cambrian.errors import RunBusy, RunError

LOCK = "lock"


class Lock:
    """Held from construction to `release`. The kernel frees the lock of a killed process. Raises
    RunBusy where another process holds it, or this one does already."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / LOCK
        self._file = self._open()
        # Who held it may have removed the file, with a run that never began: then another one is the lock.
        while not self._is_there():
            os.close(self._file)
            self._file = self._open()
        _held.add(self)

    def release(self) -> None:
        if self in _held:  # else this is a process that was forked, and it was never this one's
            _held.remove(self)
            os.close(self._file)

    def remove(self) -> None:
        """Remove the file while it is held, so that nobody else's is removed."""
        with suppress(OSError):
            self.path.unlink()

    def _open(self) -> int:
        """The file, locked, with the number of this process in it."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"cannot write in {self.path.parent}: {error.strerror}") from error
        try:
            _take(file)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            if holder == str(os.getpid()):
                raise RunBusy(
                    f"this process is at work in {self.path.parent} already: close() the search that asks"
                    " there, or wait until what runs there has ended"
                ) from None
            raise RunBusy(
                f"another process (pid {holder}) is at work in {self.path.parent}: wait for it or stop it"
                " first"
            ) from None
        except OSError as error:
            os.close(file)
            raise RunError(f"cannot lock {self.path.parent}: {error.strerror}") from error
        return file

    def _is_there(self) -> bool:
        """Whether the locked file still has its name."""
        try:
            return os.path.samestat(os.fstat(self._file), self.path.stat())
        except OSError:
            return False


_held: set[Lock] = set()


def _close_in_fork() -> None:
    """Close the locks that a forked process inherits: the kernel frees one only with its last descriptor, so
    that what a killed search had started, as a data loader, would keep the next one out."""
    while _held:
        os.close(_held.pop()._file)


os.register_at_fork(after_in_child=_close_in_fork)

PAUSES = (0.002, 0.02)
"""Seconds before the lock is tried again: one who asks whether it is held has it for some microseconds."""


def _take(file: int) -> None:
    for pause in PAUSES:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(pause)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def held_since(directory: Path) -> float | None:
    """The Unix time at which the process at work in `directory` took its lock; None where there is none."""
    try:
        file = os.open(directory / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        # The kernel knows, and the number in the file does not: in another container it is another process's.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return os.fstat(file).st_mtime
    except OSError:
        return None
    finally:
        os.close(file)
