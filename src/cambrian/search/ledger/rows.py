"""A row of the ledger: a trial with its execution, and the columns in which it is stored."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cambrian.codec import decode, encode
from cambrian.outcome import Outcome, Trial
from cambrian.search.ledger.keys import trial_name

VERSION = 2
"""Of the schema; `schema1` reads the one before it."""

COLUMNS = (
    "number INTEGER PRIMARY KEY, kind TEXT NOT NULL, estimator TEXT NOT NULL, key TEXT NOT NULL,"
    " state TEXT NOT NULL, attempt INTEGER NOT NULL, knew INTEGER NOT NULL, learned INTEGER,"
    " proposal TEXT NOT NULL, outcome TEXT, claimed REAL NOT NULL, finished REAL, elapsed REAL,"
    " thinking REAL NOT NULL, checksum INTEGER NOT NULL"
)
SCHEMA = (
    "CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL)",
    f"CREATE TABLE trial ({COLUMNS})",
    f"CREATE TABLE final ({COLUMNS})",
    "CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL,"
    " value TEXT NOT NULL, checksum INTEGER NOT NULL)",
)
"""Rows of the final stage have a table and numbers of their own, so that a search continued after it numbers
its trials as one that was never interrupted."""

TABLES = ("trial", "final")

Event = tuple[float, str, dict[str, Any]]
"""Time (seconds since 1970), name and facts of an event."""


class Row(msgspec.Struct, frozen=True):
    """A trial with the facts of its execution. `state` is running, cached, done,
    infeasible or crashed; `knew` is how many trials its proposal had learned from; `learned`, in a run
    that learns in the order of arrival, the place from 0 at which the strategy learned of it; `elapsed` the
    run's seconds when it finished; `thinking` the strategy's seconds before it was proposed; `claimed` and
    `finished` are Unix times."""

    trial: Trial
    key: str
    state: str
    attempt: int
    knew: int
    thinking: float = 0.0
    elapsed: float | None = None
    claimed: float = 0.0
    learned: int | None = None
    finished: float | None = None

    @property
    def name(self) -> str:
        return trial_name(self.trial)

    @property
    def final(self) -> bool:
        """Whether it is of the final stage, and not proposed by the strategy."""
        return self.trial.kind == "final"


class Stored(NamedTuple):
    """A row of the tables `trial` and `final`, less its checksum."""

    number: int
    kind: str
    estimator: str
    key: str
    state: str
    attempt: int
    knew: int
    learned: int | None
    proposal: str
    outcome: str | None
    claimed: float
    finished: float | None
    elapsed: float | None
    thinking: float


def write_row(row: Row) -> Stored:
    """The columns of a row that is claimed: its outcome is written when it ends."""
    return Stored(
        number=row.trial.number,
        kind=row.trial.kind,
        estimator=row.trial.estimator,
        key=row.key,
        state=row.state,
        attempt=row.attempt,
        knew=row.knew,
        learned=row.learned,
        # Without the outcome: the proposal is written once, and a replay compares it byte by byte.
        proposal=encode(msgspec.structs.replace(row.trial, outcome=None)).decode(),
        outcome=None,
        # A row that is restored keeps the time at which it was claimed.
        claimed=row.claimed or time.time(),
        finished=None,
        elapsed=row.elapsed,
        thinking=float(row.thinking),
    )


def read_row(stored: Stored) -> Row:
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
        stored.learned,
        stored.finished,
    )


CLOCK = "clock"
"""The fact with the run's "seconds", and the Unix time "at" which they were noted."""


def read_spent(rows: Iterable[Row], facts: Mapping[str, Any]) -> float:
    """The run's seconds over all its sessions, as far as the ledger knows them; those of an older run end
    with its last trial."""
    noted = facts.get(CLOCK, {}).get("seconds", 0.0)
    return float(max([noted, *(row.elapsed or 0.0 for row in rows)]))


def fill_repeats(rows: Sequence[Row]) -> list[Row]:
    """The rows, with the outcome of the original in each repeat."""
    # Stored once, with the original: a repeat may be claimed while that one still runs.
    outcomes = {row.trial.number: row.trial.outcome for row in rows if not row.final}
    return [
        row
        if row.trial.cached is None
        else msgspec.structs.replace(
            row, trial=msgspec.structs.replace(row.trial, outcome=outcomes[row.trial.cached])
        )
        for row in rows
    ]


def drop_clocks(outcome: Outcome | None) -> Any:
    """The outcome without durations, which differ between two runs of one search."""
    if outcome is None:
        return None
    calm = msgspec.structs.replace(outcome, seconds=0.0)
    if hasattr(calm, "curve"):
        points = tuple(msgspec.structs.replace(p, seconds=0.0) for p in calm.curve)
        calm = msgspec.structs.replace(calm, curve=points)
    return calm
