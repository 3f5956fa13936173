"""What can be read of a damaged ledger, as a ledger that is whole."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from cambrian.errors import LedgerCorrupt, RunError
from cambrian.search.ledger import Ledger, Lock
from cambrian.search.settings import LEDGER


def repair(directory: Path) -> dict[str, Any]:
    """Replace the ledger by a new one of its readable rows, up to the first that is lost: later ones
    may have been proposed knowing it. The damaged file is kept beside it under another name.
    Raises LedgerCorrupt where not even the run's settings can be read."""
    path = directory / LEDGER
    if not path.exists():
        raise RunError(f"{directory} is not a run directory: it holds no {LEDGER}")
    lock = Lock(directory)
    try:
        facts, rows, lost = _readable(path)
        if "settings" not in facts:
            raise LedgerCorrupt(f"{path}: the run's settings cannot be read, so nothing can be kept")
        fresh = directory / f"{LEDGER}.repaired"
        fresh.unlink(missing_ok=True)
        _write(fresh, facts, rows)
        kept = directory / f"{LEDGER}.damaged-{int(time.time())}"
        os.replace(path, kept)
        for side in ("-wal", "-shm"):
            (directory / f"{LEDGER}{side}").unlink(missing_ok=True)
        os.replace(fresh, path)
        return {"kept": len(rows), "lost": lost, "damaged": str(kept)}
    finally:
        lock.release()


def _readable(path: Path) -> tuple[dict[str, Any], list[Any], int]:
    """Facts, rows up to the first unreadable one, and how many numbers are missing or damaged."""
    db = sqlite3.connect(path, isolation_level=None)
    ledger = Ledger(db, path)
    try:
        facts = ledger.facts()
    except (LedgerCorrupt, RunError):
        facts = {}
    rows: list[Any] = []
    lost = 0
    for number in _numbers(db):
        try:
            rows.append(ledger.row(number))
        except (LedgerCorrupt, RunError):
            lost += 1
    db.close()
    whole = [row for expected, row in enumerate(rows) if row.trial.number == expected]
    return facts, whole, lost + len(rows) - len(whole)


def _numbers(db: sqlite3.Connection) -> list[int]:
    try:
        highest = db.execute("SELECT max(number) FROM trial WHERE number < 1000000").fetchone()[0]
    except sqlite3.DatabaseError:
        return []
    return list(range(0, (highest if highest is not None else -1) + 1))


def _write(path: Path, facts: dict[str, Any], rows: list[Any]) -> None:
    ledger = Ledger.create(path)
    ledger.remember(**facts)
    ledger.restore(rows)
    ledger.close()
    for side in ("-wal", "-shm"):
        Path(f"{path}{side}").unlink(missing_ok=True)
