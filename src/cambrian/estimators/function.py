"""A user's function as an estimator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cambrian.estimators.build import build_measured
from cambrian.estimators.estimator import Estimate, Job
from cambrian.outcome import Done, Infeasible, Point, outcome_of
from cambrian.registry import Registry


@dataclass(frozen=True)
class Function:
    """Any function as an estimator. `f(network, fidelity)` returns a number to maximise (or to `minimize`),
    or an iterable of numbers: the points of a learning curve, of which the last one counts. With
    `builds=False` the function gets the architecture instead of a network, and no network is built:
    `f(architecture, fidelity)`.

    A function named as `"module:function"` can run in worker processes; a function object runs in this
    process."""

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
            built = build_measured(job, always=())
            if isinstance(built, Infeasible):
                return built
            subject, measures = built.network, built.metrics
        result = function(subject, job.fidelity)
        curve: list[Point] = []
        if _is_curve(result):
            last: object = None
            # Point by point, as the function yields them: an engine may stop it between two.
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
        # An empty registry: it resolves `module:function`, and says in one sentence why it cannot.
        function: Callable[..., Any] = Registry("function", {}).get(self.function)
        return function


def _is_curve(result: object) -> bool:
    """Whether the result is a learning curve. A tensor or array without dimensions has `__iter__` too, and
    is a number."""
    return (
        isinstance(result, Iterable)
        and not isinstance(result, str | bytes | dict)
        and getattr(result, "ndim", None) != 0
    )
