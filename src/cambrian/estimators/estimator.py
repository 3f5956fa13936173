"""How good is it: the contract of an estimator, and any user's function as one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from cambrian.estimators.job import Job
from cambrian.outcome import Done, Infeasible, Outcome, Point, outcome_of
from cambrian.request import Evaluate
from cambrian.weights import Continue, Fresh

__all__ = ["Estimate", "Estimator", "Function", "Job", "OutOfTime", "Prepares", "finite"]


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


@dataclass(frozen=True)
class Function:
    """Any function as an estimator: `f(network, fidelity)` gives a number to maximise (or to `minimize`),
    or an iterable of numbers, the points of a learning curve whose last one counts. With `builds=False` the
    function is given the architecture instead of a network, and nothing is built: `f(architecture,
    fidelity)`.

    Named as `"module:function"` it can run in worker processes; a function object runs in this one."""

    function: Callable[..., Any] | str
    builds: bool = True
    minimize: bool = field(default=False, metadata={"later": True})
    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        started = time.perf_counter()
        function = self._function()
        subject: Any = job.architecture
        measures: dict[str, float] = {}
        if self.builds:
            from cambrian.estimators.build import build_measured

            built = build_measured(job, always=())
            if isinstance(built, Infeasible):
                return built
            subject, measures = built.network, built.metrics
        result = function(subject, job.fidelity)
        curve: list[Point] = []
        if _many(result):
            last: object = None
            for step, last in enumerate(result, start=1):
                outcome = outcome_of(last, curve=tuple(curve))
                if not isinstance(outcome, Done):
                    return outcome
                curve.append(Point(step, {"value": outcome.value}, time.perf_counter() - started))
                yield curve[-1]
            result = last
        seconds = time.perf_counter() - started
        return outcome_of(result, metrics=measures, curve=tuple(curve), seconds=seconds)

    def prepare(self) -> None:
        self._function()
        if self.builds:
            import torch  # noqa: F401

    def _function(self) -> Callable[..., Any]:
        if not isinstance(self.function, str):
            return self.function
        from cambrian.registry import Registry

        found: Callable[..., Any] = Registry("function", {}).get(self.function)
        return found


def _many(result: object) -> bool:
    """Whether it is a curve: a tensor or array without dimensions says it is iterable, and is not."""
    return (
        isinstance(result, Iterable)
        and not isinstance(result, str | bytes | dict)
        and getattr(result, "ndim", None) != 0
    )


def finite(metrics: dict[str, float]) -> bool:
    return all(math.isfinite(v) for v in metrics.values())
