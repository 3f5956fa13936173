"""The ledger of a run: one SQLite file, at-least-once execution, exactly-once recording.

One process writes, which `Lock` sees to; anybody may read. An execution carries its attempt number
as a fencing token: a report from an attempt that is no longer the current one changes nothing and is
kept as an event. Every row carries a checksum of all that is in it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import encode
from cambrian.errors import LedgerCorrupt, RunError
from cambrian.files import stage_file
from cambrian.outcome import Outcome
from cambrian.search.ledger import database, schema1
from cambrian.search.ledger.database import REPAIR, check_rows, checksum, translate_errors
from cambrian.search.ledger.keys import FINAL
from cambrian.search.ledger.rows import (
    CLOCK,
    SCHEMA,
    TABLES,
    VERSION,
    Event,
    Row,
    Stored,
    drop_clocks,
    fill_repeats,
    read_row,
    write_row,
)


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
        return _open(path, database.connect, reading=False)

    @staticmethod
    def read(path: Path) -> Ledger:
        """Read-only: can neither change nor lock a run that is under way."""
        return _open(path, database.connect_to_read, reading=True)

    def close(self) -> None:
        self._db.close()

    def _fill(self, facts: dict[str, Any], rows: Sequence[dict[str, Any]], events: Sequence[Event]) -> Ledger:
        """This new ledger with the contents of an old one."""
        self.remember(**facts)
        self.restore([Row(**row) for row in rows], events)
        return self

    # -- the run ----------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """The facts of the run by name, as `remember` stored them."""
        with translate_errors(self.path):
            rows = self._db.execute("SELECT name, value, checksum FROM run").fetchall()
            return {name: msgspec.json.decode(value) for name, value in self._check("fact", rows)}

    def remember(self, **facts: Any) -> None:
        with self._commit():
            self._remember(facts)

    def note_clock(self, seconds: float) -> None:
        """Remember the run's seconds so far (see `read_spent`)."""
        with self._commit():
            self._note_clock(seconds)

    def note(self, name: str, **value: Any) -> None:
        """Append an event."""
        with self._commit():
            self._event(time.time(), name, value)

    def events(self, name: str | None = None) -> list[Event]:
        with translate_errors(self.path):
            rows = self._db.execute("SELECT at, name, value, checksum FROM event ORDER BY id").fetchall()
            events = [(at, n, msgspec.json.decode(v)) for at, n, v in self._check("event", rows)]
        return [event for event in events if name in (None, event[1])]

    # -- trials -----------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All rows in order of number, those of the final stage last, outcomes of cached ones filled in."""
        with translate_errors(self.path):
            stored = [
                row
                for table in TABLES
                for row in self._db.execute(f"SELECT * FROM {table} ORDER BY number").fetchall()
            ]
            rows = [read_row(Stored(*row)) for row in self._check("row", stored)]
        self._check_gaps(rows)
        return fill_repeats(rows)

    def row(self, name: int | str) -> Row:
        """One row by its name (see `trial_name`), its outcome as stored. Raises LedgerCorrupt where it is
        missing or damaged."""
        with translate_errors(self.path):
            return read_row(self._read_stored(str(name)))

    def restore(self, rows: Sequence[Row], events: Sequence[Event]) -> None:
        """Rows with their outcomes, and events, in one commit: for a new ledger made of an old one."""
        with self._commit():
            for row in rows:
                # A cached row shows another's outcome, which is stored with that one alone.
                ended = row.trial.outcome is not None and row.trial.cached is None
                self._insert(msgspec.structs.replace(row, state="running") if ended else row)
                if ended:
                    assert row.trial.outcome is not None
                    outcome, elapsed = row.trial.outcome, row.elapsed or 0.0
                    self._finish(row.name, row.attempt, outcome, elapsed, row.finished)
            for event in events:
                self._event(*event)

    def record(
        self,
        finished: Sequence[tuple[int | str, int, Outcome, float]] = (),
        claimed: Sequence[Row] = (),
        again: Sequence[int | str] = (),
        learned: Mapping[int, int] | None = None,
        clock: float | None = None,
    ) -> list[bool]:
        """One commit: outcomes of executions (name, attempt, outcome, the run's elapsed seconds), new rows,
        names of rows to be executed once more under the next attempt, the places at which trials were
        learned, by number, and the run's seconds so far, `clock`. Returns for each outcome whether it was the
        first: a late one is kept as an event."""
        with self._commit():
            accepted = [self._finish(str(name), attempt, end, at) for name, attempt, end, at in finished]
            for row in claimed:
                self._insert(row)
            for name in again:
                stored = self._read_stored(str(name))
                # Its outcome may have come in this very commit: then there is nothing to execute again.
                if stored.state == "running":
                    self._write("REPLACE", stored._replace(attempt=stored.attempt + 1))
            for number, place in (learned or {}).items():
                self._write("REPLACE", self._read_stored(str(number))._replace(learned=place))
            if clock is not None:
                self._note_clock(clock)
        return accepted

    def contents(self) -> list[tuple[Any, ...]]:
        """The rows without attempts, clocks and durations: two runs of one search must agree on them."""
        return [
            (
                row.name,
                row.key,
                row.state,
                row.knew,
                row.learned,
                encode(msgspec.structs.replace(row.trial, outcome=None)),
                encode(drop_clocks(row.trial.outcome)),
            )
            for row in self.rows()
        ]

    def _finish(
        self, name: str, attempt: int, outcome: Outcome, elapsed: float, finished: float | None = None
    ) -> bool:
        """`finished` is that of a row that is restored; of any other it is now."""
        stored, text = self._read_stored(name), encode(outcome).decode()
        # The attempt is the fencing token: only the current attempt of a running row may end it.
        if (stored.state, stored.attempt) != ("running", attempt):
            late = {"name": name, "attempt": attempt, "state": stored.state, "outcome": text}
            self._event(time.time(), "late", late)
            return False
        self._write(
            "REPLACE",
            stored._replace(
                state=type(outcome).__name__.lower(),
                outcome=text,
                finished=time.time() if finished is None else finished,
                elapsed=float(elapsed),
            ),
        )
        return True

    def _remember(self, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            row = (name, encode(value).decode())
            self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (*row, checksum(row)))

    def _note_clock(self, seconds: float) -> None:
        self._remember({CLOCK: {"seconds": seconds, "at": time.time()}})

    def _insert(self, row: Row) -> None:
        self._write("INSERT", write_row(row))

    def _write(self, verb: str, stored: Stored) -> None:
        values = (*stored, checksum(stored))
        table = "final" if stored.kind == "final" else "trial"
        self._db.execute(f"{verb} INTO {table} VALUES ({', '.join('?' * len(values))})", values)

    def _read_stored(self, name: str) -> Stored:
        table = "final" if name.startswith(FINAL) else "trial"
        number = int(name.removeprefix(FINAL))
        rows = self._db.execute(f"SELECT * FROM {table} WHERE number = ?", (number,)).fetchall()
        if not rows:
            raise LedgerCorrupt(f"{self.path} has no row {name}{REPAIR}")
        return Stored(*next(self._check("row", rows)))

    def _event(self, at: float, name: str, value: dict[str, Any]) -> None:
        row = (at, name, encode(value).decode())
        self._db.execute(
            "INSERT INTO event (at, name, value, checksum) VALUES (?, ?, ?, ?)", (*row, checksum(row))
        )

    def _check(self, what: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        return check_rows(self.path, what, rows)

    def _check_gaps(self, rows: Sequence[Row]) -> None:
        # A checksum guards a row that is there; only the numbers show one that is not.
        for final in (False, True):
            for place, row in enumerate(r for r in rows if r.final == final):
                if row.trial.number != place:
                    missing = f"{FINAL}{place}" if final else place
                    raise LedgerCorrupt(f"{self.path} is damaged: row {missing} is missing{REPAIR}")

    @contextmanager
    def _commit(self) -> Iterator[None]:
        if database.identity(self.path) != self._file:  # a deleted file takes what is written, for nobody
            raise RunError(f"{self.path} is gone: it was deleted or replaced while the run was at work")
        with translate_errors(self.path):
            try:
                # The write lock at once: a reader's lock that is raised later may fail when it is too late to
                # wait.
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _open(path: Path, connect: Callable[[Path], sqlite3.Connection], reading: bool) -> Ledger:
    try:
        there = path.exists()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
    if not there:
        raise RunError(f"{path.parent} is not a run directory: it holds no {path.name}")
    with translate_errors(path):
        db = connect(path)
        try:
            # Before `check`, which refuses all versions but the present one.
            if database.read_version(db) == schema1.VERSION:
                return _upgrade(db, path, reading)
            database.check(db, path, SCHEMA, VERSION)
        except BaseException:
            db.close()
            raise
    return Ledger(db, path)


def _upgrade(db: sqlite3.Connection, path: Path, reading: bool) -> Ledger:
    """A ledger of the first schema as one of this: in memory to read it, else the file takes its place."""
    database.check(db, path, schema1.SCHEMA, schema1.VERSION)
    facts, rows, events = schema1.read_run(db, path)
    if not reading:
        database.empty_wal(db, path)
    db.close()
    if reading:
        upgraded = Ledger(database.in_memory(SCHEMA, VERSION), None)._fill(facts, rows, events)
        upgraded.path = path
        return upgraded
    with stage_file(path) as draft:
        database.create(draft, SCHEMA, VERSION)
        upgraded = Ledger(database.connect(draft), draft)._fill(facts, rows, events)
        upgraded.close()  # the last to close it: its WAL goes into the file
        for side in database.SIDES:
            path.with_name(path.name + side).unlink(missing_ok=True)
    return Ledger.open(path)
