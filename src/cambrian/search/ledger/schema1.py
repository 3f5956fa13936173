"""Ledgers of the first schema, read as rows of the present one.

The first schema numbered the final stage from a million on, kept a request's reasons and memory in one
`note`, and had weights in a file of the run directory whose hash was in an event."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import decode
from cambrian.errors import LedgerCorrupt
from cambrian.outcome import Outcome, Trial
from cambrian.search.ledger.database import REPAIR, checksum

VERSION = 1
FINAL = 1_000_000

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


def read_run(db: sqlite3.Connection, path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[Event]]:
    """Facts, the fields of each `Row`, and events. Raises LedgerCorrupt naming the first that is damaged."""
    return read_facts(db, path), list(read_rows(db, path)), read_events(db, path)


def read_facts(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    return {name: msgspec.json.decode(text) for name, text in _read(db, path, "run")}


def read_events(db: sqlite3.Connection, path: Path) -> list[Event]:
    events = [(at, name, msgspec.json.decode(text)) for _, at, name, text in _read(db, path, "event")]
    # Hashes of weights are artifacts of their rows now (see `read_rows`).
    return [(at, name, _rename(value)) for at, name, value in events if name != "weights"]


def read_rows(db: sqlite3.Connection, path: Path) -> Iterator[dict[str, Any]]:
    """The fields of each row, in order of number, up to the first that is damaged, which raises."""
    events = [(name, msgspec.json.decode(text)) for _, _, name, text in _read(db, path, "event")]
    hashes = {value["file"]: value["sha256"] for name, value in events if name == "weights"}
    sizes = {file: _size(path.parent / file) for file in hashes}
    for stored in _read(db, path, "trial"):
        yield _row(stored, hashes, sizes)


def _read(db: sqlite3.Connection, path: Path, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows without their last column, the checksum of the others (of an event, without its id)."""
    # An event's id was not part of its checksum: SQLite gave it when it was written.
    for *values, expected in db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall():
        if checksum(values[1:] if table == "event" else values) != expected:
            raise LedgerCorrupt(
                f"{path} is damaged: {table} {values[0]!r} does not match its checksum{REPAIR}"
            )
        yield tuple(values)


def _row(stored: tuple[Any, ...], hashes: dict[str, str], sizes: dict[str, int]) -> dict[str, Any]:
    number, key, state, attempt, knew, proposal, outcome, claimed, finished, elapsed, thinking = stored
    fields = msgspec.json.decode(proposal)
    # A strategy of that time read its note for both purposes, so it is the reason and the memory.
    note = fields.pop("note", {})
    if number >= FINAL:
        fields["number"] = number - FINAL
    prefers = note.pop("prefers", ())
    fields |= {"reason": note, "memory": note, "prefers": prefers}
    trial: Trial = decode(msgspec.json.encode(fields), Trial)
    if outcome is not None:
        trial = msgspec.structs.replace(trial, outcome=_outcome(outcome, hashes, sizes))
    return {
        "trial": trial,
        "key": key,
        "state": state,
        "attempt": attempt,
        "knew": knew,
        "thinking": thinking,
        "elapsed": elapsed,
        "finished": finished,
        "claimed": claimed,
    }


def _outcome(text: str, hashes: dict[str, str], sizes: dict[str, int]) -> Outcome:
    fields = msgspec.json.decode(text)
    file = fields.pop("weights", None)
    # Without its hash a file cannot be verified when it is loaded, so it does not become an artifact.
    if file in hashes:
        kept = {"sha256": hashes[file], "bytes": sizes[file], "file": file}
        fields["artifacts"] = {"weights.safetensors": kept}
    outcome: Outcome = decode(msgspec.json.encode(fields), Outcome)
    return outcome


def _rename(value: dict[str, Any]) -> dict[str, Any]:
    """An event's facts, rows of the final stage by their names of today."""
    changed = dict(value)
    if "numbers" in changed:
        changed["names"] = list(map(_name, changed.pop("numbers")))
    if changed.get("winner") is not None:
        changed["winner"] -= FINAL
    return changed


def _name(number: int) -> str:
    return f"final-{number - FINAL}" if number >= FINAL else str(number)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
