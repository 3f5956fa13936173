"""How good is it: the contract of an estimator."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Protocol, runtime_checkable

from cambrian.estimators.job import Job
from cambrian.outcome import Outcome, Point
from cambrian.request import Evaluate
from cambrian.weights import Continue, Fresh

__all__ = ["Estimate", "Estimator", "Job", "OutOfTime", "Prepares", "finite"]


class OutOfTime(Exception):
    """An evaluation has no result by its deadline."""


SERVES: tuple[type, ...] = (Evaluate, Fresh, Continue)
"""The requests and weights that any estimator can do."""

Estimate = Generator[Point, None, Outcome]
"""Yields the points of the learning curve as they come, returns the outcome."""


@runtime_checkable
class Estimator(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings. They wrap one
    another with `yield from inner.run(job)`.

    Besides the members below one may have `serves: tuple[type, ...]`, the kinds of requests and weights
    that it can do (without it: `Evaluate` with `Fresh` weights, and `Continue`, which it may answer as if
    it were fresh); `raw`, architectures that are the same function are measured apart; and
    `reads_history`, its jobs are to know the trials that the request was made knowing."""

    @property
    def needs(self) -> tuple[type, ...]:
        """Protocols the space must fulfil."""
        ...

    @property
    def builds(self) -> bool:
        """Whether it builds networks, so that limits on their size have something to bound."""
        ...

    @property
    def delivers(self) -> bool:
        """Whether it leaves a trained network behind, so that a search can end with one."""
        ...

    def run(self, job: Job) -> Estimate: ...


@runtime_checkable
class Prepares(Protocol):
    """Knows what its evaluations will need: `prepare` is called once in a worker process, which forks
    a child for each of them, so that what it imports is imported once (and what cannot be imported is
    found out at once). It must not start threads, nor touch a GPU."""

    def prepare(self) -> None: ...


def finite(metrics: dict[str, float]) -> bool:
    return all(math.isfinite(v) for v in metrics.values())
