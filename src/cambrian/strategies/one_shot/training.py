"""The training of a supernet in parts, each of which goes on from the one before, so that a long training can
be watched and resumed. Searches by gates and by scores train alike, and differ in their use of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Trial, describe_failure
from cambrian.strategies.strategy import TrainSupernet
from cambrian.weights import Continue, Fresh

ATTEMPTS = 3
"""Supernets that are begun, should their first parts fail."""


@dataclass(frozen=True)
class Training:
    """A supernet's training so far: `parts` are learned, and `last` is the one whose weights stand, after
    those `earlier`. `rises` are the epochs, from 0, at which it was taken back to learn on in another way,
    `lost` those that were trained in vain, and `back` where it was taken back to last, before its next part.
    `failures` were begun in vain, the latest for the reason `failure`. `ended`: no further part is trained.
    `late`: the run's time ended it."""

    parts: int = 0
    last: Trial | None = None
    earlier: tuple[Trial, ...] = ()
    rises: tuple[int, ...] = ()
    lost: int = 0
    back: int | None = None
    failures: int = 0
    failure: str = ""
    ended: bool = False
    late: bool = False

    @property
    def row(self) -> int | None:
        """The row with the weights."""
        return None if self.last is None else self.last.number

    def take_back(self, epochs: int) -> Training:
        """The training up to the last part that had at most so many epochs, or before the first."""
        left = [trial for trial in self.earlier if trial.fidelity.epochs <= epochs]
        last, begin = (left[-1], left[-1].fidelity.epochs) if left else (None, 0)
        return replace(
            self,
            parts=len(left),
            last=last,
            earlier=tuple(left[:-1]),
            rises=(*self.rises, begin),
            lost=self.lost + self.count_lost(epochs),
            back=begin,
            ended=False,
        )

    def count_lost(self, epochs: int) -> int:
        """The epochs that would have been trained in vain if it were taken back so far."""
        left = [trial.fidelity.epochs for trial in self.earlier if trial.fidelity.epochs <= epochs]
        return 0 if self.last is None else self.last.fidelity.epochs - (left[-1] if left else 0)

    @property
    def data(self) -> Mapping[str, Any]:
        """The data of the last part: gates, their course, a controller's draws."""
        outcome = None if self.last is None else self.last.outcome
        return outcome.data if isinstance(outcome, Done) else {}


@dataclass(frozen=True)
class Schedule:
    """`epochs` in all, in at most `parts` parts of nearly equal length. It is the `search`-th of `searches`
    from 0, which have other random numbers."""

    epochs: int
    parts: int
    search: int = 0
    searches: int = 1

    @property
    def count(self) -> int:
        """The parts that have an epoch."""
        return min(self.parts, self.epochs)

    def propose(
        self, training: Training, outer: Architecture, method: dict[str, Any], fidelity: Fidelity
    ) -> TrainSupernet:
        """The next part."""
        # Rounded up, so that the first part of many has an epoch; the last ends with all of them.
        epochs = -(-self.epochs * (training.parts + 1) // self.count)
        reason: dict[str, Any] = {"chunk": training.parts + 1, "chunks": self.count}
        if training.back is not None:
            reason["back"] = training.back
        if self.searches > 1:
            reason["search"] = self.search + 1
        return TrainSupernet(
            outer,
            method,
            msgspec.structs.replace(fidelity, epochs=epochs),
            Fresh() if training.row is None else Continue(training.row),
            replicate=self.search + self.searches * training.failures,
            reason=reason,
        )

    def learn(self, training: Training, trial: Trial) -> Training:
        """The training after one more part."""
        if not isinstance(trial.outcome, Done):
            return self._learn_failure(training, trial)
        # A row that repeats another has the other's files.
        number = trial.number if trial.cached is None else trial.cached
        parts = training.parts + 1
        late = "planned_epochs" in trial.outcome.metrics
        return replace(
            training,
            parts=parts,
            last=msgspec.structs.replace(trial, number=number),
            earlier=training.earlier if training.last is None else (*training.earlier, training.last),
            back=None,
            ended=late or parts >= self.count,
            late=late,
        )

    def _learn_failure(self, training: Training, trial: Trial) -> Training:
        # A first part is tried again with other random numbers; after a later one, what the part before it
        # left stands.
        failures = training.failures + 1
        failure = f"the supernet could not be trained: {describe_failure(trial)}"
        ended = training.last is not None or failures == ATTEMPTS
        return replace(training, failures=failures, failure=failure, ended=ended)
