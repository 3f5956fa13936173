"""Keeping a training within its time: the steps that fit before the deadline, estimated from those taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cambrian.estimators.estimator import Job, OutOfTime

if TYPE_CHECKING:
    from cambrian.networks.training.trainer import Training

FIRST_STEPS = 3
"""The steps after which a training's speed is known; the very first, which allocates, is not counted."""
TOLERATED = 0.97
"""The share of the remaining steps that must fit. Only below it is a training shortened, since no speed is
constant."""


class Pace:
    """Called after each step, it shortens the training to the steps that fit, so that the learning rate
    reaches its end before the deadline, or raises OutOfTime if the job may not be shortened. `ending` is the
    time of the last score, in steps."""

    def __init__(self, job: Job, ending: float) -> None:
        self._deadline, self._shorten, self._ending = job.deadline, job.shorten, ending
        self._first = (0.0, 0)  # when a step had ended, and its number
        self._steps = 0

    def keep(self, training: Training) -> None:
        if self._deadline is None:
            return
        now = time.monotonic()
        if now >= self._deadline and not self._shorten:
            raise OutOfTime("its time was over before its training")
        if not self._steps:  # the clock starts at the end of the first step
            self._first = (now, training.steps_done)
        self._steps += 1
        if self._shorten:
            self._fit(training, now, self._deadline - now)

    def _fit(self, training: Training, now: float, left: float) -> None:
        began, done = self._first
        taken = training.steps_done - done
        if left <= 0:  # too late to plan: the training ends with the steps it has
            training.shorten(training.steps_done)
        elif taken >= FIRST_STEPS:
            fitting = left * taken / (now - began) - self._ending
            wanted = training.length - training.steps_done
            if fitting < TOLERATED * wanted:
                training.shorten(training.steps_done + max(0, int(fitting)))
