"""What can be read of a damaged ledger, as a ledger that is whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from cambrian.errors import LedgerCorrupt, RunError
from cambrian.search.ledger.database import SIDES
from cambrian.search.ledger.ledger import FINAL, Event, Ledger, Row
from cambrian.search.ledger.lock import Lock
from cambrian.search.settings import LEDGER

T = TypeVar("T")

UNREADABLE = (LedgerCorrupt, RunError, sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading what is damaged raises; the last where SQLite quotes a cell that is no text any more."""


def repair(directory: Path) -> dict[str, Any]:
    """Replace the ledger by a new one of its readable rows, up to the first that is lost: later ones
    may have been proposed knowing it. The damaged file is kept beside it under another name.
    Raises LedgerCorrupt where not even the run's settings can be read."""
    path = directory / LEDGER
    if not path.exists():
        raise RunError(f"{directory} is not a run directory: it holds no {LEDGER}")
    lock = Lock(directory)
    try:
        facts, rows, events, lost = _readable(path)
        if "settings" not in facts:
            raise LedgerCorrupt(f"{path}: the run's settings cannot be read, so nothing can be kept")
        if lost != 0:  # what the run came to is not known any more
            events = [event for event in events if event[1] not in ("stop", "final")]
        fresh = directory / f"{LEDGER}.repaired"
        _write(fresh, facts, rows, events)
        kept = directory / f"{LEDGER}.damaged-{int(time.time())}"
        shutil.copyfile(path, kept)
        for side in SIDES:
            if Path(f"{path}{side}").exists():
                os.replace(f"{path}{side}", f"{kept}{side}")
        os.replace(fresh, path)
        return {"kept": len(rows), "lost": lost, "damaged": str(kept)}
    except OSError as error:
        raise RunError(f"cannot repair {path}: {error.strerror}") from error
    finally:
        lock.release()


def _readable(path: Path) -> tuple[dict[str, Any], list[Row], list[Event], int | None]:
    """Facts, rows up to the first unreadable one, events, and how many rows are lost (see `_count_lost`)."""
    db = sqlite3.connect(path, isolation_level=None)
    ledger = Ledger(db, path)
    try:
        facts: dict[str, Any] = _attempt(ledger.facts, {})
        rows: list[Row] = []
        with suppress(*UNREADABLE):
            for number in _numbers(db):
                rows.append(ledger.row(number))
        events: list[Event] = _attempt(ledger.events, [])
        return facts, rows, events, _count_lost(db, rows, events)
    finally:
        db.close()


def _count_lost(db: sqlite3.Connection, rows: list[Row], events: list[Event]) -> int | None:
    """How many rows there were beyond these. A damaged table may count too few of its rows, or none, so the
    search's own word on when it stopped is taken too; None where neither can be read."""
    counted = _attempt(lambda: int(db.execute("SELECT count(*) FROM trial").fetchone()[0]), None)
    stopped = [int(value["after"]) for _, name, value in events if name == "stop"]
    counts = stopped if counted is None else [*stopped, counted]
    return max(0, max(counts) - len(rows)) if counts else None


def _attempt(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except UNREADABLE:
        return otherwise


def _numbers(db: sqlite3.Connection) -> Iterator[int]:
    """The numbers there should be, by the highest of the search and of the final stage."""
    for low, high in ((0, FINAL), (FINAL, 2 * FINAL)):
        query = "SELECT max(number) FROM trial WHERE number >= ? AND number < ?"
        top = db.execute(query, (low, high)).fetchone()[0]
        yield from range(low, low if top is None else top + 1)


def _write(path: Path, facts: dict[str, Any], rows: list[Row], events: list[Event]) -> None:
    path.unlink(missing_ok=True)
    ledger = Ledger.create(path)
    ledger.remember(**facts)
    ledger.restore(rows, events)
    ledger.close()  # the last to close it: its WAL goes into the file
    for side in SIDES:
        Path(f"{path}{side}").unlink(missing_ok=True)
