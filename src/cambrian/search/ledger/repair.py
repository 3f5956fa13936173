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
from cambrian.files import stage_file
from cambrian.search.ledger import schema1
from cambrian.search.ledger.database import SIDES, read_version
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.rows import Event, Row
from cambrian.search.ledger.run_directory import LEDGER

T = TypeVar("T")

UNREADABLE = (LedgerCorrupt, RunError, sqlite3.DatabaseError, UnicodeDecodeError)
"""Errors of reading a damaged ledger; the last where SQLite quotes a cell that is not text any more."""


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
        if lost != 0:  # how the run ended is not known any more
            events = [event for event in events if event[1] not in ("stop", "final", "recommend")]
        kept = directory / f"{LEDGER}.damaged-{int(time.time())}"
        # The damaged file is copied, not moved: there is a ledger until the repaired one takes its place.
        with stage_file(path) as draft:
            _write(draft, facts, rows, events)
            shutil.copyfile(path, kept)
            for side in SIDES:
                if Path(f"{path}{side}").exists():
                    os.replace(f"{path}{side}", f"{kept}{side}")
        return {"kept": len(rows), "lost": lost, "damaged": str(kept)}
    except OSError as error:
        raise RunError(f"cannot repair {path}: {error.strerror}") from error
    finally:
        lock.release()


def _readable(path: Path) -> tuple[dict[str, Any], list[Row], list[Event], int | None]:
    """Facts, rows up to the first unreadable one, events, and how many rows are lost (see `_count_lost`)."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        if _attempt(lambda: read_version(db), 0) == schema1.VERSION:
            return _readable_first(db, path)
        ledger = Ledger(db, path)
        facts: dict[str, Any] = _attempt(ledger.facts, {})
        rows = _until_damage(ledger.row(name) for name in _names(db))
        events: list[Event] = _attempt(ledger.events, [])
        return facts, rows, events, _count_lost(db, rows, events)
    finally:
        db.close()


def _readable_first(
    db: sqlite3.Connection, path: Path
) -> tuple[dict[str, Any], list[Row], list[Event], int | None]:
    """The same of a ledger of the first schema."""
    facts: dict[str, Any] = _attempt(lambda: schema1.read_facts(db, path), {})
    rows = _until_damage(Row(**fields) for fields in schema1.read_rows(db, path))
    events: list[Event] = _attempt(lambda: schema1.read_events(db, path), [])
    return facts, rows, events, _count_lost(db, rows, events)


def _until_damage(rows: Iterator[Row]) -> list[Row]:
    """The rows before the first that cannot be read."""
    readable: list[Row] = []
    with suppress(*UNREADABLE):
        for row in rows:
            readable.append(row)
    return readable


def _count_lost(db: sqlite3.Connection, rows: list[Row], events: list[Event]) -> int | None:
    """How many rows there were beyond these. A damaged table may count too few of its rows, or none, so the
    search's "stop" event is read too; None where neither can be read."""
    counted = _attempt(lambda: int(db.execute("SELECT count(*) FROM trial").fetchone()[0]), None)
    stopped = [int(value["after"]) for _, name, value in events if name == "stop"]
    counts = stopped if counted is None else [*stopped, counted]
    return max(0, max(counts) - len(rows)) if counts else None


def _attempt(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except UNREADABLE:
        return otherwise


def _names(db: sqlite3.Connection) -> Iterator[str]:
    """The names that rows should have, up to the highest number of the search and of the final stage."""
    # Not the stored names: a missing row must stop the reading, which a list of those present would skip.
    for final, prefix in ((0, ""), (1, "final-")):
        query = "SELECT max(number) FROM trial WHERE (kind = 'final') = ?"
        top = db.execute(query, (final,)).fetchone()[0]
        yield from (f"{prefix}{number}" for number in range(0 if top is None else top + 1))


def _write(path: Path, facts: dict[str, Any], rows: list[Row], events: list[Event]) -> None:
    path.unlink(missing_ok=True)
    ledger = Ledger.create(path)
    ledger.remember(**facts)
    ledger.restore(rows, events)
    ledger.close()  # the last to close it: its WAL goes into the file
    for side in SIDES:
        Path(f"{path}{side}").unlink(missing_ok=True)
