"""Keeping a training within its time: the steps that fit, estimated again after each step from those taken.

The cost of a step is taken to be proportional to the pixels of its images, since these may grow.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING

from cambrian.estimators.estimator import Job, OutOfTime

if TYPE_CHECKING:
    from cambrian.estimators.training_clock import TrainingClock
    from cambrian.networks.training.trainer import Training

FIRST_STEPS = 3
"""The steps after which a training's speed is known; the very first, which allocates, is not counted."""
MEMORY = 4
"""The speed is that of about the latest quarter of the steps: other work on the machine comes and goes."""
MOST = 4.0
"""The most that a step counts, in steps at the speed so far: one that scales all images to another size, or
waits for a disk, says nothing about those to come."""
TOLERATED = 0.97
"""The share to which estimate and plan must agree. Only beyond it is a training's length changed, since no
speed is constant."""


class Pace:
    """Called after each step, it fits the training's length to the steps that the fidelity's seconds and the
    job's deadline allow, so that the learning rate reaches its end in time, or raises OutOfTime at the
    deadline if the job may not be shortened. `ending` is the time of the last score, in steps, and `clock`
    that of the training."""

    def __init__(self, job: Job, ending: float, clock: TrainingClock) -> None:
        self._deadline, self._shorten, self._clock = job.deadline, job.shorten, clock
        self._until_deadline = Limit(job.deadline, ending) if job.deadline is not None else None
        seconds = job.fidelity.seconds
        # Scoring is not part of the fidelity's seconds, and so there is no ending.
        self._allowance = Limit(seconds, 0.0) if seconds is not None else None

    @property
    def over(self) -> bool:
        """Whether a training that may be shortened has come to its deadline."""
        return self._shorten and self._deadline is not None and time.monotonic() >= self._deadline

    def pause(self, seconds: float) -> None:
        """Count seconds between two epochs, which are no part of a step."""
        if self._until_deadline is not None:
            self._until_deadline.pause(seconds)

    def keep(self, training: Training) -> None:
        lengths = []
        if self._until_deadline is not None:
            now = time.monotonic()
            self._check_deadline(now)
            if self._shorten:
                lengths.append(self._until_deadline.fit(training, now))
        if self._allowance is not None:
            lengths.append(self._allowance.fit(training, self._clock.seconds))
        if lengths:
            training.fit(min(lengths))

    def _check_deadline(self, now: float) -> None:
        if self._deadline is not None and now >= self._deadline and not self._shorten:
            raise OutOfTime("its time was over before its training")


class Limit:
    """The end of a training by one clock, and its speed by that clock."""

    def __init__(self, end: float, ending: float) -> None:
        self._end, self._ending = end, ending
        self._before: float | None = None  # the end of the step before
        self._steps = 0
        self._rate = 0.0  # seconds for a step on images of full size
        self._paused, self._pauses, self._total = 0.0, 0, 0.0

    def pause(self, seconds: float) -> None:
        self._paused += seconds
        self._pauses, self._total = self._pauses + 1, self._total + seconds

    def fit(self, training: Training, now: float) -> int:
        """The training's length, changed if another one fits much better."""
        self._measure(training, now)
        if now >= self._end:  # too late to plan: the training ends with the steps it has
            return training.steps_done
        if self._steps < FIRST_STEPS or self._rate <= 0:
            return training.length
        left = (self._end - now) / self._rate - self._ending
        planned = self._cost(training, training.length)
        if left < TOLERATED * planned or planned < TOLERATED * left:
            return self._longest(training, left)
        return training.length

    def _measure(self, training: Training, now: float) -> None:
        """Learn the speed of the step that ends now, except for the first, whose beginning is not known."""
        if self._before is not None:
            self._steps += 1
            rate = (now - self._before - self._paused) / training.step_pixels
            if self._steps > FIRST_STEPS:
                rate = min(rate, MOST * self._rate)
            # A mean whose memory grows with the training: neither a slow step nor a busy minute decides it.
            self._rate += (rate - self._rate) * min(1.0, MEMORY / (self._steps + MEMORY - 1))
        self._before, self._paused = now, 0.0

    def _cost(self, training: Training, length: int) -> float:
        """The time to come of a training of `length` steps, in steps at full size."""
        pauses = (length - training.steps_done) / training.epoch_length
        each = self._total / self._pauses / self._rate if self._pauses else 0.0
        return training.pixels_ahead(length) + pauses * each

    def _longest(self, training: Training, left: float) -> int:
        lengths = range(training.steps_done, training.planned_length + 1)
        fitting = bisect_right(lengths, left, key=lambda length: self._cost(training, length))
        return lengths[max(0, fitting - 1)]
