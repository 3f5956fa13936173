"""The files of the trials that an execution runs: drafts become artifacts, and what nobody asks for goes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec

from cambrian.outcome import Artifact, Done, Outcome
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.run_directory import CHECKPOINTS
from cambrian.search.ledger.store import Store
from cambrian.search.loop.source import Source

SWEEP = 10.0
"""Seconds between two looks for artifacts that nobody needs: a look reads the ledger."""


class TrialFiles:
    """Those in the run's `directory` (None: a run in memory has none), of which `room` bytes of artifacts
    are kept where later trials may ask for those of earlier ones (`keeps`)."""

    def __init__(self, directory: Path | None, room: int, keeps: bool) -> None:
        self.directory, self.keeps = directory, keeps
        self._store = None if directory is None else Store(directory, room)
        self._swept = time.monotonic()

    def has(self, artifact: Artifact) -> bool:
        """Whether the file is still there; of a run in memory that is not known."""
        return self._store is None or self._store.has(artifact)

    def adopt(self, row: Row, outcome: Outcome) -> Outcome:
        """The outcome with the artifacts that its evaluation left in the run directory, by hash. Raises
        DiskRefused."""
        if self._store is None:
            return outcome
        if not isinstance(outcome, Done):
            self.discard(row)
            return outcome
        # Before the outcome is recorded: the ledger never names a file that is not there.
        artifacts = self._store.adopt(_name_draft(row))
        return msgspec.structs.replace(outcome, artifacts=artifacts) if artifacts else outcome

    def discard(self, row: Row) -> None:
        """Remove the draft of this attempt: nothing came of it."""
        if self._store is not None:
            self._store.discard(_name_draft(row))

    def is_sweep_due(self) -> bool:
        """Whether the last look is SWEEP seconds ago."""
        return time.monotonic() - self._swept >= SWEEP

    def sweep(self, source: Source, ledger: Ledger) -> None:
        """Remove the artifacts that nobody will ask for: neither the `source`, nor a row of the final
        stage."""
        listed = source.list_needed() if self._store is not None and self.keeps else None
        if self._store is None or listed is None:
            return
        needed, wanted = listed
        finals = [a for row in ledger.rows() if row.final for a in row.trial.artifacts.values()]
        self._store.sweep([*needed, *finals], wanted)
        self._swept = time.monotonic()

    def clean(self, row: Row) -> None:
        """Remove the checkpoints of a row that ended: nothing resumes it any more."""
        if self.directory is not None:
            shutil.rmtree(self.directory / CHECKPOINTS / row.name, ignore_errors=True)


def _name_draft(row: Row) -> str:
    return f"{row.name}-{row.attempt}"
