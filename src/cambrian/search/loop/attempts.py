"""Which rows are begun once more: those that an earlier session left, and those that an engine lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from cambrian.outcome import Crashed, Outcome
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row

ATTEMPTS = 5
"""Losses to kills after which a trial counts as crashed, unless a search says otherwise."""


class Attempts:
    """A row is begun at most `most` times, over all sessions of the run, and within this one."""

    def __init__(self, ledger: Ledger, most: int) -> None:
        self.ledger, self.most = ledger, most
        # By name: trials of the search and of the final stage have the same numbers.
        self._losses: Counter[str] = Counter()
        self._waiting: set[str] = set()  # of an earlier session, and not begun in this one yet

    def take_up(self, unfinished: Sequence[Row]) -> tuple[list[Row], list[tuple[Row, Outcome]]]:
        """The rows of an earlier session that are to `begin` once more, under their next attempt, and the
        outcomes of the others. A row that was begun `most` times and never ended, though nobody stopped it,
        has crashed: it may be the cause that this process ends each time."""
        # Attempts that a user or a full disk interrupted do not count against their trial.
        stops = Counter(n for _, _, value in self.ledger.events("interrupted") for n in value["names"])
        queue: list[Row] = []
        crashed: list[tuple[Row, Outcome]] = []
        for row in unfinished:
            if row.attempt - stops[row.name] < self.most:
                queue.append(msgspec.structs.replace(row, attempt=row.attempt + 1))
                self._waiting.add(row.name)
                continue
            error = f"begun {row.attempt} times and never ended: it may have ended the search itself"
            crashed.append((row, Crashed(error)))
        return queue, crashed

    def begin(self, rows: Iterable[Row]) -> None:
        """Commit the next attempts of those rows that were taken up, just before they begin: one that waits
        for a slot until this process is killed was not begun, and is not the cause."""
        again = [row.name for row in rows if row.name in self._waiting]
        if again:
            self.ledger.record(again=again)
            self._waiting.difference_update(again)

    def lose(self, row: Row, why: str) -> Crashed | None:
        """Count that an engine lost the row; its outcome where that was one time too many."""
        self._losses[row.name] += 1
        if self._losses[row.name] < self.most:
            return None
        return Crashed(f"lost {self.most} times, the last time: {why}")

    def forgive(self, rows: Iterable[Row]) -> None:
        """Note that those which were begun were interrupted, which is no evidence against them."""
        names = [row.name for row in rows if row.name not in self._waiting]
        self.ledger.note("interrupted", names=names)
