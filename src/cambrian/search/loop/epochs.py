"""The epochs that the trials of a search have paid for."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.effort import count_epochs, count_paid
from cambrian.outcome import Trial
from cambrian.weights import Continue, source_row


class PaidEpochs:
    """Counts over `trials`, a list that grows and whose outcomes come in. A trial that is running counts as
    it will if it succeeds, so that several workers begin no more than one would."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = trials
        self._ended, self._paid = 0, 0.0

    def count(self) -> float:
        # Trials before the first running one cannot change: counting them once keeps this linear.
        while self._ended < len(self._trials) and self._has_ended(self._trials[self._ended]):
            self._paid += self._count_trial(self._trials[self._ended])
            self._ended += 1
        paid = self._paid + sum(self._count_trial(trial) for trial in self._trials[self._ended :])
        # Six thirds add up to a little less than 2: a budget of 2 must not begin a seventh.
        return round(paid, 9)

    def _has_ended(self, trial: Trial) -> bool:
        return trial.outcome is not None or trial.cached is not None

    def _count_trial(self, trial: Trial) -> float:
        row = source_row(trial.weights)
        source = None if row is None else self._trials[row]
        if self._has_ended(trial):
            return count_paid(trial, source)
        begun = count_epochs(source.fidelity) if source and isinstance(trial.weights, Continue) else 0.0
        return max(0.0, count_epochs(trial.fidelity) - begun)
