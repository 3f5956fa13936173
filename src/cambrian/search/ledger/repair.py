"""What can be read of a damaged ledger, as a ledger that is whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cambrian.errors import LedgerCorrupt, RunError
from cambrian.files import stage_file
from cambrian.search.ledger import schema1
from cambrian.search.ledger.database import SIDES, read_version
from cambrian.search.ledger.keys import FINAL
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.rows import TABLES, Event, Row
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
        kept = _name_copy(directory)
        # The damaged file is copied, not moved: there is a ledger until the repaired one takes its place.
        with stage_file(path) as draft:
            _write(draft, facts, close_places(rows), events)
            shutil.copyfile(path, kept)
            for side in SIDES:
                if Path(f"{path}{side}").exists():
                    os.replace(f"{path}{side}", f"{kept}{side}")
        return {"kept": len(rows), "lost": lost, "damaged": str(kept)}
    except OSError as error:
        raise RunError(f"cannot repair {path}: {error.strerror}") from error
    finally:
        lock.release()


def _name_copy(directory: Path) -> Path:
    """A name for the damaged file that no earlier one has: there may have been one within this second."""
    names = (f"{LEDGER}.damaged-{number}" for number in count(int(time.time())))
    return next(path for path in map(directory.joinpath, names) if not path.exists())


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


def close_places(rows: list[Row]) -> list[Row]:
    """The rows of a run that learned in the order of arrival, the places of lost ones closed up."""
    places = sorted(row.learned for row in rows if row.learned is not None)
    if not places:
        return rows
    new = {place: n for n, place in enumerate(places)}
    return [
        msgspec.structs.replace(
            row,
            learned=None if row.learned is None else new[row.learned],
            knew=sum(place < row.knew for place in places),
        )
        for row in rows
    ]


def _count_lost(db: sqlite3.Connection, rows: list[Row], events: list[Event]) -> int | None:
    """How many rows there were beyond these. A damaged table may count too few of its rows, or none, so the
    search's "stop" event is read too; None where neither can be read."""
    counted = _attempt(lambda: _count_rows(db), None)
    lost = [] if counted is None else [counted - len(rows)]
    searched = sum(not row.final for row in rows)
    lost += [int(value["after"]) - searched for _, name, value in events if name == "stop"]
    return max(0, *lost) if lost else None


def _count_rows(db: sqlite3.Connection) -> int:
    # In the first schema the final stage's rows stand among the trials.
    tables = ("trial",) if read_version(db) == schema1.VERSION else TABLES
    return sum(int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables)


def _attempt(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except UNREADABLE:
        return otherwise


def _names(db: sqlite3.Connection) -> Iterator[str]:
    """The names that rows should have, up to the highest number of the search and of the final stage."""
    # Not the stored names: a missing row must stop the reading, which a list of those present would skip.
    for table, prefix in (("trial", ""), ("final", FINAL)):
        top = db.execute(f"SELECT max(number) FROM {table}").fetchone()[0]
        yield from (f"{prefix}{number}" for number in range(0 if top is None else top + 1))


def _write(path: Path, facts: dict[str, Any], rows: list[Row], events: list[Event]) -> None:
    path.unlink(missing_ok=True)
    ledger = Ledger.create(path)
    ledger.remember(**facts)
    ledger.restore(rows, events)
    ledger.close()  # the last to close it: its WAL goes into the file
    for side in SIDES:
        Path(f"{path}{side}").unlink(missing_ok=True)
