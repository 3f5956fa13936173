"""What a run remembers: one SQLite file, at-least-once execution, exactly-once recording.

WAL with synchronous=FULL: what was acknowledged survives a power cut. One process writes, which
`Lock` sees to; anybody may read. An execution carries its attempt number as a fencing token: a
report from an attempt that is no longer the current one changes nothing and is kept as an event.
Every row carries a checksum, so that a flipped bit is found instead of believed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import LedgerCorrupt, RunBusy, RunError
from cambrian.outcome import Outcome, Trial

VERSION = 1
FINAL = 1_000_000
"""Rows of the final stage are numbered from here on, so that a search continued after its final
stage numbers its trials as one that was never interrupted."""

_SCHEMA = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trial (
  number INTEGER PRIMARY KEY, key TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,
  knew INTEGER NOT NULL, proposal TEXT NOT NULL, outcome TEXT, checksum INTEGER NOT NULL,
  claimed REAL NOT NULL, finished REAL, elapsed REAL, thinking REAL NOT NULL);
CREATE INDEX trial_key ON trial (key);
CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL);
"""

_COLUMNS = "number, key, state, attempt, knew, proposal, outcome, checksum, thinking, elapsed, claimed"


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


class Ledger:
    """`Ledger.create(path)`, `Ledger.open(path)`, `Ledger.read(path)`; `path=None` keeps it in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._db, self.path = connection, path

    @staticmethod
    def create(path: Path | None) -> Ledger:
        if path is not None and path.exists():
            raise RunError(f"{path} exists already: resume it, or choose another run directory")
        db = _connect(":memory:" if path is None else str(path), durable=path is not None)
        with _told(path):
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        return Ledger(db, path)

    @staticmethod
    def open(path: Path) -> Ledger:
        if not path.exists():
            raise RunError(f"{path.parent} is not a run directory: it holds no {path.name}")
        with _told(path):
            db = _connect(str(path), durable=True)
            _whole(db, path)
        return Ledger(db, path)

    @staticmethod
    def read(path: Path) -> Ledger:
        """Read-only: can neither change nor lock a run that is under way."""
        if not path.exists():
            raise RunError(f"{path.parent} is not a run directory: it holds no {path.name}")
        with _told(path):
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            _whole(db, path)
        return Ledger(db, path)

    def close(self) -> None:
        self._db.close()

    # -- the run ----------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What `remember` stored."""
        with _told(self.path):
            rows = self._db.execute("SELECT name, value FROM run").fetchall()
            return {name: msgspec.json.decode(value) for name, value in rows}

    def remember(self, **facts: Any) -> None:
        with self._commit():
            self._db.executemany(
                "INSERT OR REPLACE INTO run VALUES (?, ?)",
                [(k, encode(v).decode()) for k, v in facts.items()],
            )

    def note(self, name: str, **value: Any) -> None:
        """Append an event."""
        with self._commit():
            self._event(name, value)

    def events(self, name: str | None = None) -> list[tuple[float, str, dict[str, Any]]]:
        with _told(self.path):
            rows = self._db.execute("SELECT at, name, value FROM event ORDER BY id").fetchall()
            return [(at, n, msgspec.json.decode(v)) for at, n, v in rows if name in (None, n)]

    # -- trials -----------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All rows in order of number, outcomes of cached ones filled in."""
        with _told(self.path):
            found = self._db.execute(f"SELECT {_COLUMNS} FROM trial ORDER BY number").fetchall()
            rows = {r[0]: self._row(*r) for r in found}
        for number, row in rows.items():
            if row.trial.cached is not None:
                original = rows[row.trial.cached].trial.outcome
                rows[number] = msgspec.structs.replace(
                    row, trial=msgspec.structs.replace(row.trial, outcome=original)
                )
        return list(rows.values())

    def row(self, number: int) -> Row:
        """One row, its outcome as stored. Raises LedgerCorrupt where it is missing or damaged."""
        with _told(self.path):
            found = self._db.execute(f"SELECT {_COLUMNS} FROM trial WHERE number = ?", (number,)).fetchone()
            if found is None:
                raise LedgerCorrupt(f"{self.path} has no row {number}")
            return self._row(*found)

    def restore(self, rows: Sequence[Row]) -> None:
        """Rows with their outcomes, in one commit: for a new ledger made of an old one."""
        with self._commit():
            for row in rows:
                self._insert(
                    msgspec.structs.replace(row, state="running" if row.trial.cached is None else "cached")
                )
                if row.trial.outcome is not None and row.trial.cached is None:
                    self._finish(row.trial.number, row.attempt, row.trial.outcome, row.elapsed or 0.0)

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
                self._db.execute(
                    "UPDATE trial SET attempt = attempt + 1 WHERE number = ? AND state = 'running'",
                    (number,),
                )
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
        proposal, state = self._db.execute(
            "SELECT proposal, state FROM trial WHERE number = ?", (number,)
        ).fetchone()
        text = encode(outcome).decode()
        changed = self._db.execute(
            "UPDATE trial SET state = ?, outcome = ?, checksum = ?, finished = ?, elapsed = ?"
            " WHERE number = ? AND attempt = ? AND state = 'running'",
            (
                type(outcome).__name__.lower(),
                text,
                _checksum(proposal, text),
                time.time(),
                elapsed,
                number,
                attempt,
            ),
        ).rowcount
        if not changed:
            self._event("late", {"number": number, "attempt": attempt, "state": state, "outcome": text})
        return bool(changed)

    def _insert(self, row: Row) -> None:
        proposal = encode(msgspec.structs.replace(row.trial, outcome=None)).decode()
        self._db.execute(
            "INSERT INTO trial VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, NULL, ?, ?)",
            (
                row.trial.number,
                row.key,
                row.state,
                row.attempt,
                row.knew,
                proposal,
                _checksum(proposal, ""),
                time.time(),
                row.elapsed,
                row.thinking,
            ),
        )

    def _row(
        self,
        number: int,
        key: str,
        state: str,
        attempt: int,
        knew: int,
        proposal: str,
        outcome: str | None,
        checksum: int,
        thinking: float,
        elapsed: float | None,
        claimed: float,
    ) -> Row:
        if checksum != _checksum(proposal, outcome or ""):
            raise LedgerCorrupt(f"{self.path}: row {number} does not match its checksum{_REPAIR}")
        trial = decode(proposal, Trial)
        if outcome is not None:
            trial = msgspec.structs.replace(trial, outcome=decode(outcome, Outcome))
        return Row(trial, key, state, attempt, knew, thinking, elapsed, claimed)

    def _event(self, name: str, value: dict[str, Any]) -> None:
        self._db.execute(
            "INSERT INTO event (at, name, value) VALUES (?, ?, ?)",
            (time.time(), name, encode(value).decode()),
        )

    @contextmanager
    def _commit(self) -> Iterator[None]:
        with _told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


class Lock:
    """At most one process works in a run directory. The kernel frees the lock of a killed one."""

    def __init__(self, directory: Path) -> None:
        try:
            self._file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"cannot write in {directory}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise RunBusy(
                f"another process (pid {holder}) is at work in {directory}: wait for it or stop it first"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)


_REPAIR = "; `cambrian doctor --repair RUN` keeps what can be read"


def _connect(target: str, durable: bool) -> sqlite3.Connection:
    db = sqlite3.connect(target, isolation_level=None, timeout=30)
    if durable:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    return db


def _whole(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise RunError(f"{path} has ledger version {version}; this cambrian reads version {VERSION}")
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise LedgerCorrupt(f"{path} is damaged: {verdict}{_REPAIR}")


@contextmanager
def _told(path: Path | None) -> Iterator[None]:
    """SQLite's and the decoder's errors as ours, naming the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunError(f"cannot use {path}: {error}") from error
    except (sqlite3.DatabaseError, msgspec.MsgspecError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise LedgerCorrupt(f"{path} is damaged: {error}{_REPAIR}") from error


def _checksum(proposal: str, outcome: str) -> int:
    return zlib.crc32(outcome.encode(), zlib.crc32(proposal.encode()))


def _timeless(outcome: Outcome | None) -> Any:
    if outcome is None:
        return None
    calm = msgspec.structs.replace(outcome, seconds=0.0)
    if hasattr(calm, "curve"):
        points = tuple(msgspec.structs.replace(p, seconds=0.0) for p in calm.curve)
        calm = msgspec.structs.replace(calm, curve=points)
    return calm
