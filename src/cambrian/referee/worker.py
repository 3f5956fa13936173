"""`python -m cambrian.referee.worker PARENT`: plays searches, one after the other.

Reads JSON documents, a line each: the contest, then jobs. Answers each job with a line: what the search
was like, or an error.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import CambrianError
from cambrian.referee.contest import contest_of, play_search
from cambrian.referee.line import Line
from cambrian.search.engines.confine import die_with_parent
from cambrian.strategies import STRATEGIES


class Job(msgspec.Struct, frozen=True):
    """The search by the strategy that `spec` describes, under `seed`."""

    label: str
    spec: dict[str, Any]
    seed: int


class Answer(msgspec.Struct, frozen=True):
    """One of the two."""

    line: Line | None = None
    error: str | None = None


def main() -> None:
    die_with_parent(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer
    contest = contest_of(msgspec.json.decode(sys.stdin.buffer.readline()))
    for text in sys.stdin.buffer:
        job: Job = decode(text, Job)
        try:
            answer = Answer(line=play_search(contest, job.label, STRATEGIES.make(job.spec), job.seed))
        except CambrianError as error:
            answer = Answer(error=str(error))
        answers.write(encode(answer) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
