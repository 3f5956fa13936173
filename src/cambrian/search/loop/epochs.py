"""The epochs that the trials of a search have paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cambrian.effort import count_epochs, count_paid, count_trained
from cambrian.errors import CambrianError
from cambrian.outcome import Trial
from cambrian.weights import Continue, Shared, source_row


class PaidEpochs:
    """Counts over `trials`, a list that grows and whose outcomes come in. A trial that is running counts as
    it will if it succeeds, so that several workers begin no more than one would; the run's `estimators`, by
    their names, may know its epochs (see `Estimator`)."""

    def __init__(self, trials: Sequence[Trial], estimators: Mapping[str, Any]) -> None:
        self._trials, self._estimators = trials, estimators
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
        if isinstance(trial.weights, Shared):
            return 0.0
        begun = count_trained(source) if source and isinstance(trial.weights, Continue) else 0.0
        return max(0.0, self._plan(trial) - begun)

    def _plan(self, trial: Trial) -> float:
        plan = getattr(self._estimators.get(trial.estimator), "plan_epochs", None)
        if plan is None:
            return count_epochs(trial.fidelity)
        try:
            epochs: int = plan(trial.architecture, trial.fidelity)
        except CambrianError:  # answers that no training can have, which the trial itself will say
            return count_epochs(trial.fidelity)
        return epochs * trial.fidelity.fraction
