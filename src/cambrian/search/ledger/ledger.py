"""What a run remembers: one SQLite file, at-least-once execution, exactly-once recording.

One process writes, which `Lock` sees to; anybody may read. An execution carries its attempt number
as a fencing token: a report from an attempt that is no longer the current one changes nothing and is
kept as an event. Every row carries a checksum of all that is in it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import LedgerCorrupt, RunError
from cambrian.outcome import Outcome, Trial
from cambrian.search.ledger import database
from cambrian.search.ledger.database import REPAIR, checksum, translate_errors

VERSION = 1
FINAL = 1_000_000
"""Rows of the final stage are numbered from here on, so that a search continued after its final
stage numbers its trials as one that was never interrupted."""

SCHEMA = (
    "CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE trial (number INTEGER PRIMARY KEY, key TEXT NOT NULL, state TEXT NOT NULL,"
    " attempt INTEGER NOT NULL, knew INTEGER NOT NULL, proposal TEXT NOT NULL, outcome TEXT,"
    " claimed REAL NOT NULL, finished REAL, elapsed REAL, thinking REAL NOT NULL,"
    " checksum INTEGER NOT NULL)",
    "CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL,"
    " value TEXT NOT NULL, checksum INTEGER NOT NULL)",
)

Event = tuple[float, str, dict[str, Any]]
"""When (seconds since 1970), what, and more about it."""


class Row(msgspec.Struct, frozen=True):
    """A trial with what the ledger knows about its execution. `state` is running, cached, done,
    infeasible or crashed; `knew` is how many trials its proposal had learned from; `elapsed` the
    run's seconds when it finished; `thinking` the strategy's seconds before it was proposed."""

    trial: Trial
    key: str
    state: str
    attempt: int
    knew: int
    thinking: float = 0.0
    elapsed: float | None = None
    claimed: float = 0.0


class _Stored(NamedTuple):
    """A row of the table `trial`, less its checksum."""

    number: int
    key: str
    state: str
    attempt: int
    knew: int
    proposal: str
    outcome: str | None
    claimed: float
    finished: float | None
    elapsed: float | None
    thinking: float


class Ledger:
    """`Ledger.create(path)`, `Ledger.open(path)`, `Ledger.read(path)`; `path=None` keeps it in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._db, self.path = connection, path
        self._file = database.identity(path)

    @staticmethod
    def create(path: Path | None) -> Ledger:
        if path is None:
            return Ledger(database.in_memory(SCHEMA, VERSION), None)
        if path.exists():
            raise RunError(f"{path} exists already: resume it, or choose another run directory")
        database.create(path, SCHEMA, VERSION)
        return Ledger.open(path)

    @staticmethod
    def open(path: Path) -> Ledger:
        return _open(path, database.connect)

    @staticmethod
    def read(path: Path) -> Ledger:
        """Read-only: can neither change nor lock a run that is under way."""
        return _open(path, database.connect_to_read)

    def close(self) -> None:
        self._db.close()

    # -- the run ----------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What `remember` stored."""
        with translate_errors(self.path):
            rows = self._db.execute("SELECT name, value, checksum FROM run").fetchall()
            return {name: msgspec.json.decode(value) for name, value in self._check("fact", rows)}

    def remember(self, **facts: Any) -> None:
        with self._commit():
            for name, value in facts.items():
                row = (name, encode(value).decode())
                self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (*row, checksum(row)))

    def note(self, name: str, **value: Any) -> None:
        """Append an event."""
        with self._commit():
            self._event(time.time(), name, value)

    def events(self, name: str | None = None) -> list[Event]:
        with translate_errors(self.path):
            rows = self._db.execute("SELECT at, name, value, checksum FROM event ORDER BY id").fetchall()
            found = [(at, n, msgspec.json.decode(v)) for at, n, v in self._check("event", rows)]
        return [event for event in found if name in (None, event[1])]

    # -- trials -----------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All rows in order of number, outcomes of cached ones filled in."""
        with translate_errors(self.path):
            found = self._db.execute("SELECT * FROM trial ORDER BY number").fetchall()
            rows = {r[0]: _row(_Stored(*r)) for r in self._check("row", found)}
        self._gapless(list(rows))
        for number, row in rows.items():
            if row.trial.cached is not None:
                original = rows[row.trial.cached].trial.outcome
                rows[number] = msgspec.structs.replace(
                    row, trial=msgspec.structs.replace(row.trial, outcome=original)
                )
        return list(rows.values())

    def row(self, number: int) -> Row:
        """One row, its outcome as stored. Raises LedgerCorrupt where it is missing or damaged."""
        with translate_errors(self.path):
            return _row(self._read_stored(number))

    def restore(self, rows: Sequence[Row], events: Sequence[Event]) -> None:
        """Rows with their outcomes, and events, in one commit: for a new ledger made of an old one."""
        with self._commit():
            for row in rows:
                ended = row.trial.outcome is not None and row.trial.cached is None
                self._insert(msgspec.structs.replace(row, state="running") if ended else row)
                if ended:
                    assert row.trial.outcome is not None
                    self._finish(row.trial.number, row.attempt, row.trial.outcome, row.elapsed or 0.0)
            for event in events:
                self._event(*event)

    def record(
        self,
        finished: Sequence[tuple[int, int, Outcome, float]] = (),
        claimed: Sequence[Row] = (),
        again: Sequence[int] = (),
    ) -> list[bool]:
        """One commit: outcomes of executions (number, attempt, outcome, the run's elapsed seconds),
        new rows, and numbers to be executed once more under the next attempt. Tells of each outcome
        whether it was the first: a late one is kept as an event."""
        with self._commit():
            accepted = [self._finish(*f) for f in finished]
            for row in claimed:
                self._insert(row)
            for number in again:
                stored = self._read_stored(number)
                if stored.state == "running":
                    self._write("REPLACE", stored._replace(attempt=stored.attempt + 1))
        return accepted

    def contents(self) -> list[tuple[Any, ...]]:
        """The rows without attempts, clocks and durations: what two runs of one search must agree on."""
        return [
            (
                row.trial.number,
                row.key,
                row.state,
                row.knew,
                encode(msgspec.structs.replace(row.trial, outcome=None)),
                encode(_timeless(row.trial.outcome)),
            )
            for row in self.rows()
        ]

    def _finish(self, number: int, attempt: int, outcome: Outcome, elapsed: float) -> bool:
        stored, text = self._read_stored(number), encode(outcome).decode()
        if (stored.state, stored.attempt) != ("running", attempt):
            late = {"number": number, "attempt": attempt, "state": stored.state, "outcome": text}
            self._event(time.time(), "late", late)
            return False
        self._write(
            "REPLACE",
            stored._replace(
                state=type(outcome).__name__.lower(),
                outcome=text,
                finished=time.time(),
                elapsed=float(elapsed),
            ),
        )
        return True

    def _insert(self, row: Row) -> None:
        self._write(
            "INSERT",
            _Stored(
                number=row.trial.number,
                key=row.key,
                state=row.state,
                attempt=row.attempt,
                knew=row.knew,
                proposal=encode(msgspec.structs.replace(row.trial, outcome=None)).decode(),
                outcome=None,
                claimed=row.claimed or time.time(),
                finished=None,
                elapsed=row.elapsed,
                thinking=float(row.thinking),
            ),
        )

    def _write(self, verb: str, stored: _Stored) -> None:
        values = (*stored, checksum(stored))
        self._db.execute(f"{verb} INTO trial VALUES ({', '.join('?' * len(values))})", values)

    def _read_stored(self, number: int) -> _Stored:
        found = self._db.execute("SELECT * FROM trial WHERE number = ?", (number,)).fetchall()
        if not found:
            raise LedgerCorrupt(f"{self.path} has no row {number}{REPAIR}")
        return _Stored(*next(self._check("row", found)))

    def _event(self, at: float, name: str, value: dict[str, Any]) -> None:
        row = (at, name, encode(value).decode())
        self._db.execute(
            "INSERT INTO event (at, name, value, checksum) VALUES (?, ?, ?, ?)", (*row, checksum(row))
        )

    def _check(self, what: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Rows without their last column, which is the checksum of the others."""
        for *values, expected in rows:
            if checksum(values) != expected:
                raise LedgerCorrupt(
                    f"{self.path} is damaged: {what} {values[0]!r} does not match its checksum{REPAIR}"
                )
            yield tuple(values)

    def _gapless(self, numbers: Sequence[int]) -> None:
        searched = sum(number < FINAL for number in numbers)
        expected = [*range(searched), *range(FINAL, FINAL + len(numbers) - searched)]
        for number, wanted in zip(numbers, expected):
            if number != wanted:
                raise LedgerCorrupt(f"{self.path} is damaged: row {wanted} is missing{REPAIR}")

    @contextmanager
    def _commit(self) -> Iterator[None]:
        if database.identity(self.path) != self._file:  # a deleted file takes what is written, for nobody
            raise RunError(f"{self.path} is gone: it was deleted or replaced while the run was at work")
        with translate_errors(self.path):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _open(path: Path, connect: Any) -> Ledger:
    try:
        there = path.exists()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
    if not there:
        raise RunError(f"{path.parent} is not a run directory: it holds no {path.name}")
    with translate_errors(path):
        db = connect(path)
        try:
            database.check(db, path, SCHEMA, VERSION)
        except BaseException:
            db.close()
            raise
    return Ledger(db, path)


def _row(stored: _Stored) -> Row:
    trial: Trial = decode(stored.proposal, Trial)
    if stored.outcome is not None:
        trial = msgspec.structs.replace(trial, outcome=decode(stored.outcome, Outcome))
    return Row(
        trial,
        stored.key,
        stored.state,
        stored.attempt,
        stored.knew,
        stored.thinking,
        stored.elapsed,
        stored.claimed,
    )


def _timeless(outcome: Outcome | None) -> Any:
    if outcome is None:
        return None
    calm = msgspec.structs.replace(outcome, seconds=0.0)
    if hasattr(calm, "curve"):
        points = tuple(msgspec.structs.replace(p, seconds=0.0) for p in calm.curve)
        calm = msgspec.structs.replace(calm, curve=points)
    return calm
