"""The trainings of the final stage by their keys: the one under way, or the fullest of those that ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Infeasible, Outcome, Trial
from cambrian.search.ledger.rows import Row


class Trainings:
    """A training that is the same is never done twice, so that a resumed run takes up its `rows`; but with
    `again`, those that their budget cut short are done anew. Then a key has several rows."""

    def __init__(self, rows: Sequence[Row], again: bool = False) -> None:
        self._present = {row.key: row.trial for row in rows if row.trial.outcome is None}
        self._ended: dict[str, Trial] = {}
        for row in rows:
            if row.trial.outcome is not None:
                self._ended[row.key] = pick_fuller(self._ended.get(row.key), row.trial)
        for key, trial in self._ended.items():
            if not (again and is_cut_short(trial)):
                self._present.setdefault(key, trial)

    def find(self, key: str) -> Trial | None:
        """The training of that key, under way or ended; None where it is still to be done."""
        return self._present.get(key)

    def recall(self, key: str) -> Trial | None:
        """The same, but also one that was cut short and would be done anew, were there time."""
        return self._present.get(key) or self._ended.get(key)

    def begin(self, key: str, trial: Trial) -> None:
        self._present[key] = trial

    def finish(self, number: int, outcome: Outcome) -> None:
        for key, trial in self._present.items():
            if trial.number == number:
                ended = msgspec.structs.replace(trial, outcome=outcome)
                # Done anew with less time than before, or in vain: then the earlier one still counts.
                self._present[key] = self._ended[key] = pick_fuller(self._ended.get(key), ended)

    def forgive(self, key: str) -> None:
        """Let a training be done anew that had no time."""
        if is_late(self._present.get(key)):
            del self._present[key]

    def list_ended(self, architecture: Architecture) -> list[Trial]:
        """The trainings of the architecture that have ended, in whichever role."""
        return [trial for trial in self._ended.values() if trial.architecture == architecture]


def has_failed(trial: Trial | None) -> bool:
    """Whether it ended without a value."""
    return trial is not None and trial.outcome is not None and trial.value is None


def is_cut_short(trial: Trial) -> bool:
    """Whether the budget ended before the trial's training did."""
    if isinstance(trial.outcome, Done):
        return "planned_epochs" in trial.outcome.metrics
    return is_late(trial)


def is_late(trial: Trial | None) -> bool:
    """Whether it was given up at its deadline, which is no evidence against its network."""
    return trial is not None and isinstance(trial.outcome, Infeasible) and trial.outcome.reason == "timeout"


def pick_fuller(earlier: Trial | None, later: Trial) -> Trial:
    """Of two ended trainings of one network the fuller one: a whole one before one that was cut short, of
    those the longer one, and any with a value before a failure. Of equal ones the later."""
    return later if earlier is None or _grade(later) >= _grade(earlier) else earlier


def _grade(trial: Trial) -> tuple[int, float]:
    if not isinstance(trial.outcome, Done):
        return 0, 0.0
    return (1, trial.outcome.metrics.get("epochs", 0.0)) if is_cut_short(trial) else (2, 0.0)
