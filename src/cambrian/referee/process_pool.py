"""Searches in several processes at a time, each of one thread (see `worker`)."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cambrian.codec import decode, encode
from cambrian.errors import RunError
from cambrian.referee.line import Line
from cambrian.referee.worker import Answer, Job
from cambrian.search.engines.processes import environment

ATTEMPTS = 3
"""So often a search may be lost to the death of its process, before the comparison is given up."""


def crew(contest: Mapping[str, Any], jobs: Sequence[Job], workers: int) -> Iterator[Line]:
    """Lines in the order in which they are done. Raises RunError where a search fails or its process
    dies again and again. Nobody is left at the end, however it comes."""
    queue, losses = list(jobs), Counter[tuple[str, int]]()
    with selectors.DefaultSelector() as selector:
        members = [_Worker(contest, selector) for _ in range(min(workers, len(queue)))]
        try:
            for member in members:
                member.begin(queue.pop(0))
            while any(member.job for member in members):
                for key, _ in selector.select():
                    member, job = key.data, key.data.job
                    answer = member.answer()
                    if isinstance(answer, Answer):
                        yield _line(answer, job)
                    elif answer is not None:
                        members.remove(member)
                        queue.insert(0, _retry(job, answer, losses))
                        member = _Worker(contest, selector)
                        members.append(member)
                    if member.job is None and queue:
                        member.begin(queue.pop(0))
        finally:
            for member in members:
                member.close()


def _line(answer: Answer, job: Job) -> Line:
    if answer.line is None:
        raise RunError(f"the search by {job.label} under seed {job.seed} failed: {answer.error}")
    return answer.line


def _retry(job: Job, end: str, losses: Counter[tuple[str, int]]) -> Job:
    losses[job.label, job.seed] += 1
    if losses[job.label, job.seed] >= ATTEMPTS:
        raise RunError(f"the search by {job.label} under seed {job.seed} was lost {ATTEMPTS} times: {end}")
    return job


class _Worker:
    """This process's end of a worker."""

    def __init__(self, contest: Mapping[str, Any], selector: selectors.BaseSelector) -> None:
        self.job: Job | None = None
        self._inbox = bytearray()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        self._selector = selector
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cambrian.referee.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment(threads=1),
            start_new_session=True,  # Ctrl-C is this process's to answer
        )
        assert self._process.stdout is not None
        selector.register(self._process.stdout, selectors.EVENT_READ, self)
        self._send(encode(contest))

    def begin(self, job: Job) -> None:
        self.job = job
        self._send(encode(job))

    def answer(self) -> Answer | str | None:
        """To its job; how it ended, if it did; None when the answer is not complete."""
        assert self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), 1 << 16)
        if not data:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            return self.close()
        self._inbox += data
        if not self._inbox.endswith(b"\n"):
            return None
        answer: Answer = decode(bytes(self._inbox), Answer)
        self._inbox.clear()
        self.job = None
        return answer

    def close(self) -> str:
        """See to it that it is gone; how it ended, and the last it said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return ""
        self._selector.unregister(self._process.stdout)
        self._process.kill()
        status = self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._said.seek(0)
        said = self._said.read()[-4000:].decode("utf-8", "backslashreplace").strip()
        self._said.close()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        return f"{how}; it said: {said}" if said else how

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead, as `answer` will find
            self._process.stdin.write(data + b"\n")
            self._process.stdin.flush()
