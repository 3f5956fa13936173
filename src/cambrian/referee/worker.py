"""A member of the referee's crew: `python -m cambrian.referee.worker DESCRIPTOR PARENT`.

It plays one search after the other. It receives the contest, then jobs, and answers each job with the
search's line or an error.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import msgspec

from cambrian.errors import CambrianError
from cambrian.referee.contest import contest_of, play_search
from cambrian.referee.contest_protocol import Contest
from cambrian.referee.line import Line
from cambrian.search.engines.crew import PIECE, join_crew
from cambrian.search.engines.frames import Inbox, pack
from cambrian.strategies import STRATEGIES


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first message to a worker: the contest, as `contest_of` reads it."""

    contest: dict[str, Any]


class Job(msgspec.Struct, frozen=True, tag="job"):
    """A message to a worker: play the search by the strategy that `spec` describes, under `seed`."""

    label: str
    spec: dict[str, Any]
    seed: int


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer of a worker to a job: either the search's line or the error."""

    line: Line | None = None
    error: str | None = None


Message = Begin | Job | Answer


def main() -> None:
    channel = join_crew()
    os.dup2(2, 1)  # prints of users' code are quoted should it die, as errors are
    messages = _read_messages(channel)
    begin = next(messages)
    assert isinstance(begin, Begin)
    contest = contest_of(begin.contest)
    for job in messages:
        assert isinstance(job, Job)
        channel.sendall(pack(_play(contest, job)))


def _play(contest: Contest, job: Job) -> Answer:
    try:
        return Answer(line=play_search(contest, job.label, STRATEGIES.make(job.spec), job.seed))
    except CambrianError as error:  # any other ends the process, and the owner of the crew retries the search
        return Answer(error=str(error))


def _read_messages(channel: socket.socket) -> Iterator[Message]:
    """The messages of the crew's owner, until it closes the channel."""
    inbox = Inbox(Message)
    while data := channel.recv(PIECE):
        yield from inbox.feed(data)


if __name__ == "__main__":
    main()
