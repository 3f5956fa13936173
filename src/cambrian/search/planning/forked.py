"""Functions called in child processes: a crash there does not end this process."""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

from cambrian.codec import encode
from cambrian.search.engines.confine import die_with_parent, fork_child, silence


class Failed(Exception):
    """The child ended without a result; the text says how."""


def call_each(functions: Sequence[Callable[[], Any]], at_once: int, seconds: float) -> list[Any]:
    """The result of each function, as JSON gives it back, or a Failed: of one that raised, that took longer
    than `seconds`, or whose process was ended. They print nothing. `at_once` run at a time."""
    results: list[Any] = []
    for first in range(0, len(functions), at_once):
        children = [_Child(function, seconds) for function in functions[first : first + at_once]]
        results += [child.result() for child in children]
    return results


class _Child:
    def __init__(self, function: Callable[[], Any], seconds: float) -> None:
        self._pipe, end = os.pipe()
        self._until, self._seconds = time.monotonic() + seconds, seconds
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: none is needed
            self._pid = fork_child(lambda: _live(function, end, parent), private=[self._pipe])
        os.close(end)

    def result(self) -> Any:
        # Read before waiting: a child that writes more than the pipe holds would never end.
        data, late = self._read()
        if late:
            os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        os.close(self._pipe)
        if late:
            return Failed(f"it took longer than {self._seconds:g} s")
        if status:
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            how = f"was ended by {signal.Signals(number).name}" if number else "failed"
            # The child's text may be cut within a letter.
            said = f": {data.decode(errors='replace')}" if data else ""
            return Failed(f"its process {how}{said}")
        return msgspec.json.decode(data)

    def _read(self) -> tuple[bytes, bool]:
        """The child's output, and whether the time was over before its end."""
        data = b""
        while select.select([self._pipe], [], [], max(0.0, self._until - time.monotonic()))[0]:
            part = os.read(self._pipe, 1 << 16)
            if not part:
                return data, False
            data += part
        return data, True


def _live(function: Callable[[], Any], pipe: int, parent: int) -> NoReturn:
    """The life of the child: its result as JSON, or its error as text, into the pipe."""
    status = 1
    try:
        die_with_parent(parent)
        faulthandler.disable()  # the parent says how it ended
        silence()
        data = encode(function())
        status = 0
    except BaseException as error:
        data = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")[:500]
    with open(pipe, "wb") as file:
        file.write(data)
    os._exit(status)
