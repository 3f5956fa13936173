"""Any user's function as an estimator."""

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
        found: Callable[..., Any] = Registry("function", {}).get(self.function)
        return found


def _many(result: object) -> bool:
    """Whether it is a curve: a tensor or array without dimensions says it is iterable, and is not."""
    return (
        isinstance(result, Iterable)
        and not isinstance(result, str | bytes | dict)
        and getattr(result, "ndim", None) != 0
    )
