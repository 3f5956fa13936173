"""A ledger that another process writes, read as it grows: each look reads the commits since the last one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from cambrian.search.ledger import database
from cambrian.search.ledger.database import check_rows, connect_to_read, translate_errors
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import TABLES, VERSION, Event, Row, Stored, fill_repeats, read_row

SETTLED = 10**8
"""Nanoseconds after which a file's time of change can be trusted: file systems count in ticks of some
milliseconds, so that two commits within one tick look alike."""


class Follower:
    """`look()` says whether anything may have been committed since the last one; `facts`, `rows` and `events`
    are then those of the ledger at `path`. A ledger that was replaced is read anew. Nothing is kept open
    between two looks, so that the writer's last checkpoint finds no reader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0  # rows read so far, by which a test sees that none is read twice
        self._forget()

    def _forget(self) -> None:
        self.facts: dict[str, Any] = {}
        self.events: list[Event] = []
        self._rows: dict[str, dict[int, Row]] = {table: {} for table in TABLES}
        self._checksums: dict[str, int] = {}
        self._last_event = 0
        self.file: tuple[int, int] | None = None
        self._stamp: tuple[tuple[int, int], ...] = ()
        self._settled = False

    @property
    def rows(self) -> list[Row]:
        """All rows, as `Ledger.rows` gives them."""
        return fill_repeats([row for table in TABLES for _, row in sorted(self._rows[table].items())])

    def look(self) -> bool:
        """Raises RunError where there is no ledger, LedgerCorrupt where it is damaged."""
        # Before reading: a commit that comes in between is seen by the next look.
        file, stamp, now = database.identity(self.path), self._read_stamp(), time.time_ns()
        if file is not None and self._settled and (file, stamp) == (self.file, self._stamp):
            return False
        if file is None or file != self.file or not self._read_changes():
            self._read_whole()
        self.file, self._stamp = file, stamp
        self._settled = now - max((changed for _, changed in stamp), default=0) > SETTLED
        return True

    def _read_stamp(self) -> tuple[tuple[int, int], ...]:
        """Size and time of change of the ledger's file and of its WAL, of which a commit changes one. An
        empty WAL counts as none: reading makes one."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        states = []
        for file in files:
            with suppress(FileNotFoundError):  # the writer's last checkpoint deletes the WAL
                states.append(file.stat())
        return tuple((state.st_size, state.st_mtime_ns) for state in states if state.st_size)

    def _read_whole(self) -> None:
        """The first look checks the structure of the file too, and reads the schema before this one."""
        self._forget()
        ledger = Ledger.read(self.path)
        try:
            self.facts, rows, self.events = ledger.facts(), ledger.rows(), ledger.events()
        finally:
            ledger.close()
        for row in rows:
            self._rows["final" if row.final else "trial"][row.trial.number] = row
        self.reads += len(rows)
        # Events are numbered from 1 and never deleted.
        self._last_event = len(self.events)

    def _is_same(self, db: sqlite3.Connection) -> bool:
        """Whether the ledger is the one that was read before: a file may have the number of a deleted one."""
        first = self._rows["trial"].get(0)
        claimed = db.execute("SELECT claimed FROM trial WHERE number = 0").fetchone()
        return first is None or claimed == (first.claimed,)

    def _read_changes(self) -> bool:
        """Read the new rows; False where the file is another one, or does not have the present schema."""
        with translate_errors(self.path):
            db = connect_to_read(self.path)
            try:
                if database.read_version(db) != VERSION or not self._is_same(db):
                    return False
                db.execute("BEGIN")  # one state of the ledger for all queries
                self._read_facts(db)
                self._read_events(db)
                for table in TABLES:
                    self._read_rows(db, table)
            finally:
                db.close()
        return True

    def _read_facts(self, db: sqlite3.Connection) -> None:
        """The facts whose checksum is another one than before: some are long and never change."""
        checksums = dict(db.execute("SELECT name, checksum FROM run").fetchall())
        for name in [n for n, c in checksums.items() if self._checksums.get(n) != c]:
            rows = db.execute("SELECT name, value, checksum FROM run WHERE name = ?", (name,)).fetchall()
            self.facts |= {n: msgspec.json.decode(value) for n, value in self._check("fact", rows)}
        self._checksums = checksums

    def _read_events(self, db: sqlite3.Connection) -> None:
        columns = "SELECT at, name, value, checksum FROM event WHERE id > ? ORDER BY id"
        rows = db.execute(columns, (self._last_event,)).fetchall()
        self.events += [
            (at, name, msgspec.json.decode(value)) for at, name, value in self._check("event", rows)
        ]
        self._last_event += len(rows)

    def _read_rows(self, db: sqlite3.Connection, table: str) -> None:
        """New rows, and those that ran at the last look; an ended row stays as it is."""
        known = self._rows[table]
        running = ",".join(str(number) for number, row in known.items() if row.state == "running")
        query = f"SELECT * FROM {table} WHERE number > ? OR number IN ({running}) ORDER BY number"
        for stored in self._check("row", db.execute(query, (max(known, default=-1),)).fetchall()):
            row = read_row(Stored(*stored))
            known[row.trial.number] = row
            self.reads += 1

    def _check(self, what: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return list(check_rows(self.path, what, rows))
