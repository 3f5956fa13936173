"""Searches in several processes at a time, each of one thread (see `worker`)."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cambrian.errors import RunError
from cambrian.referee.line import Line
from cambrian.referee.worker import Begin, Job, Message
from cambrian.search.engines.crew import Crew, Member

ATTEMPTS = 3
"""So often a search may be lost to the death of its process, before the comparison is given up."""

QUOTED = 4000
"""Characters quoted of the last words of a worker that died."""


def play_jobs(contest: Mapping[str, Any], jobs: Sequence[Job], workers: int) -> Iterator[Line]:
    """Lines in the order in which they are done. Raises RunError where a search fails or its process
    dies again and again. No process is left at the end, however it comes."""
    queue, losses = list(jobs), Counter[tuple[str, int]]()
    crew = Crew[Job]("cambrian.referee.worker", Begin(dict(contest)), Message)
    try:
        while queue or crew.busy:
            _share_out(crew, queue, workers)
            for member in crew.listen():
                lines = _take(crew, member, queue, losses)
                # Before the lines are handed on: while the caller takes its time, no worker waits.
                _share_out(crew, queue, workers)
                yield from lines
    finally:
        crew.close(patience=0.0)  # in the middle of a search a worker does not see that it is hung up on


def _share_out(crew: Crew[Job], queue: list[Job], workers: int) -> None:
    """Give every idle member a job; hire while there are more jobs than members, up to `workers`."""
    for member in crew.members:
        if member.job is None and queue:
            member.begin(queue.pop(0))
    while queue and len(crew.members) < workers:
        crew.hire().begin(queue.pop(0))


def _take(
    crew: Crew[Job], member: Member[Job], queue: list[Job], losses: Counter[tuple[str, int]]
) -> list[Line]:
    """The line of the search that a member has played; the job of a dead one goes back into `queue`."""
    job, answers = member.job, member.receive()
    if answers is None:
        end = _describe_end(crew.dismiss(member, 1.0), member.last_words)
        if job is not None:
            queue.insert(0, _retry(job, end, losses))
        return []
    lines: list[Line] = []
    for answer in answers:
        member.job = None
        assert job is not None
        if answer.line is None:
            raise RunError(f"the search by {job.label} under seed {job.seed} failed: {answer.error}")
        lines.append(answer.line)
    return lines


def _retry(job: Job, end: str, losses: Counter[tuple[str, int]]) -> Job:
    # Counted per search and not per worker: a search that kills its process does so on every one.
    losses[job.label, job.seed] += 1
    if losses[job.label, job.seed] >= ATTEMPTS:
        raise RunError(f"the search by {job.label} under seed {job.seed} was lost {ATTEMPTS} times: {end}")
    return job


def _describe_end(status: int, said: str) -> str:
    how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
    return f"{how}; it said: {said[-QUOTED:]}" if said else how
