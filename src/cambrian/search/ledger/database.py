"""SQLite for a ledger: a file that is whole or absent, commits that reach the disk, and errors that name the
file and the remedy."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import encode
from cambrian.errors import LedgerCorrupt, RunError
from cambrian.files import stage_file

REPAIR = "; `cambrian doctor --repair RUN` keeps what can be read"
SIDES = ("-wal", "-shm")

_CIRCUMSTANCES = (
    *("BUSY", "LOCKED", "FULL", "READONLY", "IOERR", "CANTOPEN", "PERM", "NOMEM", "INTERRUPT"),
    "TOOBIG",
)
"""Result codes of SQLite for circumstances that leave the file intact."""


def create(path: Path, schema: Sequence[str], version: int) -> None:
    """Create the file at `path`; it appears there when it is complete."""
    with translate_errors(path), stage_file(path) as draft:
        for side in SIDES:  # a WAL without its file would be taken for that of the new one
            path.with_name(path.name + side).unlink(missing_ok=True)
        db = sqlite3.connect(draft, isolation_level=None)
        # No journal file beside the draft, which is renamed when it is complete; the ledger's WAL begins
        # later.
        db.execute("PRAGMA journal_mode = MEMORY")
        _create_schema(db, schema, version)
        db.close()


def in_memory(schema: Sequence[str], version: int) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    _create_schema(db, schema, version)
    return db


def connect(path: Path) -> sqlite3.Connection:
    """A connection for writing: WAL with synchronous=FULL, so that commits survive a power cut."""
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection for reading: it can neither change nor lock a run that is under way."""
    uri = path.absolute().as_uri()
    quiet = not _size(path.with_name(path.name + "-wal"))
    db = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None, timeout=30)
    try:
        db.execute("PRAGMA user_version")
    except sqlite3.OperationalError:  # WAL wants files beside it, which a full disk or a mode may not allow
        db.close()
        if not quiet:
            raise
        # `immutable` skips the WAL, so it is right only while that is empty: hence `quiet`.
        db = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return db


def empty_wal(db: sqlite3.Connection, path: Path) -> None:
    """Move all that is in the WAL into the file, so that the WAL can be removed. Closing the connection does
    not do it while a reader has the file open. Raises RunError where a reader prevents it."""
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise RunError(f"another process is reading {path}: wait for it or stop it first")


def read_version(db: sqlite3.Connection) -> int:
    """The version of the file's schema."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def check(db: sqlite3.Connection, path: Path, schema: Sequence[str], version: int) -> None:
    """Raises RunError for a file of another version, LedgerCorrupt for one that is damaged."""
    stored = read_version(db)
    if stored != version:
        raise RunError(
            f"{path} has ledger version {stored}, this cambrian reads version {version}: use the cambrian"
            f" that wrote it; if it is damaged{REPAIR.replace(';', ',', 1)}"
        )
    verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise LedgerCorrupt(f"{path} is damaged: {verdict}{REPAIR}")
    tables = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' ORDER BY rowid").fetchall()
    if [sql for (sql,) in tables] != list(schema):
        raise LedgerCorrupt(f"{path} is damaged: its tables are not a ledger's{REPAIR}")


def checksum(values: Sequence[object]) -> int:
    """The CRC-32 of a row's columns, by which a flipped bit is noticed."""
    return zlib.crc32(encode(tuple(values)))


def check_rows(path: Path | None, what: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows without their last column, which is the checksum of the others. Raises LedgerCorrupt."""
    for *values, expected in rows:
        if checksum(values) != expected:
            raise LedgerCorrupt(
                f"{path} is damaged: {what} {values[0]!r} does not match its checksum{REPAIR}"
            )
        yield tuple(values)


def identity(path: Path | None) -> tuple[int, int] | None:
    """Device and inode of the file, by which a replaced one is noticed; None where there is none."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def _size(path: Path) -> int:
    """In bytes, 0 where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def translate_errors(path: Path | None) -> Iterator[None]:
    """Errors of SQLite, of the decoder and of the file system as ours, naming the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
        if code.startswith(_CIRCUMSTANCES):
            raise RunError(
                f"cannot use {path}: {error}. What was recorded is safe; when this is mended, resume"
            ) from error
        raise LedgerCorrupt(f"{path} is damaged: {error}{REPAIR}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LedgerCorrupt(f"{path} is damaged: {error}{REPAIR}") from error
    except OSError as error:
        raise RunError(f"cannot use {path}: {error.strerror or error}") from error


def _create_schema(db: sqlite3.Connection, schema: Sequence[str], version: int) -> None:
    db.executescript(f"BEGIN; {'; '.join(schema)}; PRAGMA user_version = {version}; COMMIT;")
