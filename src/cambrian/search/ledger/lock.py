"""At most one process works in a run directory."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from cambrian.errors import RunBusy, RunError


class Lock:
    """Held from construction to `release`. The kernel frees the lock of a killed process. Raises
    RunBusy where another process holds it."""

    def __init__(self, directory: Path) -> None:
        try:
            self._file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"cannot write in {directory}: {error.strerror}") from error
        try:
            _take(self._file)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise RunBusy(
                f"another process (pid {holder}) is at work in {directory}: wait for it or stop it first"
            ) from None
        except OSError as error:
            os.close(self._file)
            raise RunError(f"cannot lock {directory}: {error.strerror}") from error

    def release(self) -> None:
        os.close(self._file)


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
        file = os.open(directory / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        # A dead process holds no lock: asking the kernel, which takes it for a moment, is not needed then.
        if not _is_alive(os.pread(file, 32, 0)):
            return None
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return os.fstat(file).st_mtime
    except OSError:
        return None
    finally:
        os.close(file)


def _is_alive(written: bytes) -> bool:
    try:
        os.kill(int(written), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:  # of another user
        return True
    return True
