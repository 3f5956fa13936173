"""The breaker stops a search whose trials all crash alike: no budget mends a mistake in the estimator."""

from __future__ import annotations

import re

from cambrian.outcome import Crashed, Done, Trial

ALIKE = 3
"""So many equal errors in a row, before anything has succeeded, end a search. Shapes that do not fit, and
want of memory or time, are not errors but outcomes of an architecture."""


class Breaker:
    """Sees the trials in order of number. Those before `forgiven` do not count: the search was stopped
    for them before, and is resumed in the belief that the mistake is mended."""

    def __init__(self, forgiven: int = 0) -> None:
        self._forgiven, self._count, self._proven = forgiven, 0, False
        self._error: str | None = None
        self.last: Crashed | None = None

    def see(self, trial: Trial) -> None:
        """Count a trial; a repeat of another one is not evidence."""
        if trial.cached is not None or trial.number < self._forgiven:
            return
        self._proven |= isinstance(trial.outcome, Done)
        self.last = trial.outcome if isinstance(trial.outcome, Crashed) else None
        # Digits are masked: "bad shape (3, 4)" and "bad shape (5, 4)" are one mistake.
        error = None if self.last is None else re.sub(r"\d+", "#", self.last.error)
        self._count = self._count + 1 if error == self._error else 1
        self._error = error

    @property
    def tripped(self) -> bool:
        """Whether the search is to be stopped."""
        # One success shows that the estimator works: crashes are then the architectures' own.
        return self._error is not None and self._count >= ALIKE and not self._proven

    @property
    def reason(self) -> str:
        assert self.last is not None
        return f"{self._count} trials in a row crashed alike and none succeeded: {self.last.error}"
