"""The training of a race's winner: its batch, the filters that it has time for, the passes that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.search.planning.race.amounts import (
    FILTERS,
    LEAST_BATCH,
    MANY_PASSES,
    choose_batch,
    choose_filters,
)
from cambrian.search.planning.race.speed import Speed

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

GROWTH = 0.41
"""The cost of a step of a training whose images grow, on average: of one at full size."""


@dataclass(frozen=True)
class LastTraining:
    """The training of the winner in so many `seconds`, at the favourite's `speed`; with `small_first` its
    images may grow from those of the race."""

    task: Task
    seconds: float
    speed: Speed
    small_first: bool

    @property
    def images(self) -> int:
        return len(self.task.train) + len(self.task.validation)

    @property
    def batch(self) -> int:
        # Each piece of a text has as many targets as characters.
        return LEAST_BATCH if self.task.causal else choose_batch(self.images, self.task.dense)

    def choose_filters(self) -> int:
        passes = {filters: self._count_passes(filters) for filters in FILTERS}
        return choose_filters(passes, self.images, self.batch, self.task.height if self.task.causal else 1)

    def grows(self, filters: int) -> bool:
        return self.small_first and self._count_whole(filters) <= MANY_PASSES

    def expect_passes(self, filters: int) -> float:
        return self._count_passes(filters) if self.grows(filters) else self._count_whole(filters)

    def _count_passes(self, filters: int) -> float:
        """The passes over the data, of images that grow if they may."""
        image = GROWTH * self.speed.fine(filters) if self.small_first else self.speed.fine(filters)
        return self.seconds / (image * self.images)

    def _count_whole(self, filters: int) -> float:
        """The passes over the data at their full size."""
        return self.seconds / (self.speed.fine(filters) * self.images)
