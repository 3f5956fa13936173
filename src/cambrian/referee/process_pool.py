"""The searches of a comparison in several processes at once, each with one thread (see `worker`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cambrian.errors import RunError
from cambrian.referee.line import Line
from cambrian.referee.worker import Begin, Job, Message
from cambrian.search.engines.confine import name_signal
from cambrian.search.engines.crew import Crew, Member

ATTEMPTS = 3
"""Deaths of a search's process after which the comparison is given up."""

QUOTED = 4000
"""Characters quoted from the end of a dead worker's standard error."""


def play_jobs(contest: Mapping[str, Any], jobs: Sequence[Job], workers: int) -> Iterator[Line]:
    """Play the searches of `jobs` in up to `workers` processes, and yield their lines as they are completed.
    Raises RunError where a search fails or its process dies ATTEMPTS times. All processes are ended when the
    iterator is, also by an error."""
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
        crew.close(patience=0.0)  # killed at once: a worker in a search does not see that its channel closed


def _share_out(crew: Crew[Job], queue: list[Job], workers: int) -> None:
    """Give every idle member a job; then start more members for the jobs left, up to `workers`."""
    for member in crew.members:
        if member.job is None and queue:
            member.begin(queue.pop(0))
    while queue and len(crew.members) < workers:
        crew.hire().begin(queue.pop(0))


def _take(
    crew: Crew[Job], member: Member[Job], queue: list[Job], losses: Counter[tuple[str, int]]
) -> list[Line]:
    """The lines that a member has sent. The job of a member that died goes back to the front of `queue`."""
    job, answers = member.job, member.receive()
    if answers is None:
        end = _describe_end(crew.dismiss(member, 1.0), member.last_words)
        if job is not None:  # it may also die between two jobs
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
    """The job, to be played again. Raises RunError after ATTEMPTS deaths of its process."""
    # Counted per search and not per worker: a search that kills its process does so on every one.
    losses[job.label, job.seed] += 1
    if losses[job.label, job.seed] >= ATTEMPTS:
        raise RunError(f"the search by {job.label} under seed {job.seed} was lost {ATTEMPTS} times: {end}")
    return job


def _describe_end(status: int, last_words: str) -> str:
    how = f"killed by {name_signal(-status)}" if status < 0 else f"exit code {status}"
    return f"{how}; it said: {last_words[-QUOTED:]}" if last_words else how
