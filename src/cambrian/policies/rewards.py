"""The rewards of a policy: the values of trials, none of them so far below the others, as that of a loss that
exploded, that it would be all that a policy learns.

By one reward of -1e9 beside others of -1 the moving baseline stays below all that follow for dozens of
trials, and Adam's second moments, which divide every step, stay high for thousands.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cambrian.outliers import EXPLODED, find_lowest_sorted, insert_sorted

if TYPE_CHECKING:
    from cambrian.outcome import Trial

LARGEST = 1e100
"""Rewards beyond it are taken for it: the gradients' squares, which Adam averages, must be finite."""
ENOUGH = 8
"""Different values that tell which of them is far out."""


@dataclass(frozen=True)
class Rewards:
    """The different `values` of the trials so far, ascending."""

    values: Sequence[float] = ()

    def learn(self, trial: Trial) -> Rewards:
        """With the value of the trial, if it has one that is new."""
        if trial.value is None:
            return self
        place = bisect_left(self.values, trial.value)
        if place < len(self.values) and self.values[place] == trial.value:
            return self
        return Rewards(insert_sorted(self.values, trial.value))

    @cached_property
    def lowest(self) -> float:
        """The lowest value that counts. Accuracies all count, as in the papers."""
        # Of different ones, so that a policy which has settled still has a scale.
        few = len(self.values) < ENOUGH
        return min(self.values, default=-math.inf) if few else find_lowest_sorted(self.values)

    def bound(self, value: float | None) -> float | None:
        """A value that is known here, None for a failure, or the lowest that counts where it is less; None
        before any is known."""
        if not self.values:
            return None
        return self.lowest if value is None else max(value, self.lowest)

    def read(self, trial: Trial, power: int = 1) -> float | None:
        """The reward of a trial: its value, bounded, to this power with its sign, within LARGEST; None before
        any value is known."""
        value = self.bound(trial.value)
        if value is None:
            return None
        bounded = min(abs(value), LARGEST ** (1 / power))
        return math.copysign(float(bounded) ** power, value)  # monotone for negative values too

    def overturns(self, before: Rewards) -> bool:
        """Whether it is known only now that a value `before`, which a policy has learned from as it was, is
        far out: nothing that it has learned is worth keeping. While there are few values, any that is; later,
        as where a third of them had exploded at first, one that was the scale of all: the end of a tail
        moves with each trial."""
        if not before.values or before.lowest >= self.lowest:
            return False
        highest = self.values[-1]
        exploded = highest - before.lowest > EXPLODED * (highest - self.lowest)
        return exploded or len(before.values) < ENOUGH
