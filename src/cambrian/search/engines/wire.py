"""The messages between an engine, its workers and their children (see `frames` for their form)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from cambrian.errors import RunError
from cambrian.outcome import Fidelity
from cambrian.search.engines.engine import Assignment, Report, Work


class Start(msgspec.Struct, frozen=True, tag="start"):
    """To a worker, first of all: the common part of all evaluations (see `Work`), and how many threads
    one may use."""

    # The fields are those of `Work` in JSON types: a worker makes the objects anew from their specs.
    spec: dict[str, Any]
    problem: dict[str, Any]
    final: Fidelity | None
    device: str
    directory: str | None
    timeout: float | None
    memory: int | None
    threads: int
    continues: bool = False

    @staticmethod
    def of(work: Work, threads: int) -> Start:
        assert work.spec is not None
        if work.directory is not None:
            _check_text(work.directory)
        return Start(
            work.spec,
            work.problem.facts(),
            work.final,
            work.device,
            None if work.directory is None else str(work.directory),
            work.timeout,
            work.memory,
            threads,
            work.continues,
        )


def _check_text(place: Path) -> None:
    """Raise RunError for a path that JSON cannot carry to another process."""
    try:
        str(place).encode()
    except UnicodeEncodeError:
        raise RunError(
            f"the run directory {os.fsencode(place)!r} has a name that is not UTF-8, which no other process"
            " can be told: choose another one, or engine 'serial'"
        ) from None


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """To a worker: kill trial `number` if it is still running."""

    number: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: space, estimator and task are there."""


class Broken(msgspec.Struct, frozen=True, tag="broken"):
    """From a worker, last of all: why it cannot do any work."""

    error: str


class Forked(msgspec.Struct, frozen=True, tag="forked"):
    """From a worker: the process, and process group, in which a trial runs. The engine must know it, to end
    it where the worker died first."""

    number: int
    pid: int


class Imported(msgspec.Struct, frozen=True, tag="imported"):
    """From a child to its worker: the modules it had to import, in that order, which is one that works."""

    names: list[str]


# One union for all channels: a tag names the type, so that both ends read with the same decoder.
Message = Start | Assignment | Cancel | Ready | Broken | Forked | Imported | Report
