"""The contract of an estimator, which measures how good an architecture is."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Protocol, runtime_checkable

from cambrian.estimators.job import Job
from cambrian.outcome import Outcome, Point
from cambrian.request import Evaluate
from cambrian.weights import Continue, Fresh

__all__ = ["Enough", "Estimate", "Estimator", "Holds", "Job", "OutOfTime", "Prepares", "finite"]


class OutOfTime(Exception):
    """An evaluation does not have a result by its deadline."""


class Enough(Exception):
    """Thrown into an estimate at a point of its curve by whoever needs no more points: an estimator that can
    ends with the outcome that it has, as if this point were the last of its fidelity; any other lets it
    pass."""


SERVES: tuple[type, ...] = (Evaluate, Fresh, Continue)
"""The requests and weights that every estimator serves."""

Estimate = Generator[Point, None, Outcome]
"""Yields the points of the learning curve as they come, returns the outcome."""


@runtime_checkable
class Estimator(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings. They wrap one
    another with `yield from inner.run(job)`.

    An estimator may have six members besides the ones below. `serves: tuple[type, ...]` are the kinds of
    requests and weights that it can serve (without it: `Evaluate` with `Fresh` weights, and `Continue`, which
    it may treat as fresh). With `raw`, architectures that are the same function are measured separately.
    With `reads_history`, its jobs carry the trials that the strategy had learned before the request.
    `axes: tuple[Axis, ...]` are the parts of the fidelity that it can measure at several values (without it:
    none). `leaves` is False if it never leaves files, so that no place is made for them. `minimize` is True
    if lower values are better; of those of a task's metric, the metric knows."""

    @property
    def needs(self) -> tuple[type, ...]:
        """The protocols that the space must fulfil."""
        ...

    @property
    def builds(self) -> bool:
        """Whether it builds networks: without one, limits on measures cannot be checked."""
        ...

    @property
    def delivers(self) -> bool:
        """Whether it keeps the trained network, so that a search can deliver one."""
        ...

    def run(self, job: Job) -> Estimate: ...


@runtime_checkable
class Prepares(Protocol):
    """An estimator with preparations that its evaluations share. `prepare` is called once in a worker
    process, which then forks a child for each evaluation, so that modules are imported once, and a failing
    import is reported at once. It must not start threads, nor touch a GPU: neither survives a fork."""

    def prepare(self) -> None: ...


@runtime_checkable
class Holds(Protocol):
    """An estimator whose evaluations share more than modules, such as the weights of a supernet. A worker
    calls `hold` between two children, after one has done such a job: what it keeps in memory, the next
    ones inherit. It is bound as `prepare` is, and True says that it keeps something new."""

    def hold(self, job: Job) -> bool: ...


def finite(metrics: dict[str, float]) -> bool:
    return all(math.isfinite(v) for v in metrics.values())
