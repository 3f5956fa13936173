"""A user's function as an estimator."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from cambrian.effort import ANEW, FREE, Axis
from cambrian.errors import UsageError
from cambrian.estimators.build import build_measured
from cambrian.estimators.estimator import Enough, Estimate, Job
from cambrian.estimators.function_calls import (
    call_function,
    check_function,
    is_curve,
    split_metrics,
    takes_fidelity,
)
from cambrian.outcome import Crashed, Done, Infeasible, Outcome, Point, outcome_of
from cambrian.registry import Registry


@dataclass(frozen=True)
class Function:
    """Any function as an estimator. `f(network)` or `f(network, fidelity)` returns a number to maximise (or
    to `minimize`), a dictionary of metrics, or an iterable of either: the points of a learning curve, of
    which the last one counts. Of a dictionary, the metric `objective` is the value; left open it is "value",
    the task's metric, or the only one that is not an objective of the search besides. With `builds=False` the
    function gets the architecture instead of a network, and no network is built: `f(architecture, fidelity)`.

    A function named as `"module:function"` can run in worker processes; a function object runs in this
    process."""

    function: Callable[..., Any] | str
    builds: bool = True
    minimize: bool = field(default=False, metadata={"later": True})
    objective: str = field(default="", metadata={"later": True})
    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = False
    leaves: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.function, str):
            check_function(self.function)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All of a fidelity, where the function takes one."""
        return FREE if takes_fidelity(self._function) else ()

    def run(self, job: Job) -> Estimate:
        started = time.perf_counter()
        function = self._function
        subject: Any = job.architecture
        measures: dict[str, float] = {}
        if self.builds:
            built = build_measured(job, always=())
            if isinstance(built, Infeasible):
                return built
            subject, measures = built.network, built.metrics
        result = call_function(function, subject, job.fidelity)
        curve: list[Point] = []
        if is_curve(result):
            last: object = None
            # Point by point, as the function yields them: an engine may stop it between two.
            for step, last in enumerate(result, start=1):
                outcome = self._read(last, job, curve=tuple(curve))
                if not isinstance(outcome, Done):
                    return outcome
                metrics = {"value": outcome.value, **outcome.metrics}
                curve.append(Point(step, metrics, time.perf_counter() - started))
                try:
                    yield curve[-1]
                except Enough:
                    break
            result = last
        seconds = time.perf_counter() - started
        # A function knows of no earlier training, so that it begins anew whatever was asked for.
        data = {} if job.begun is None else {ANEW: "a function measures from the start"}
        return self._read(result, job, measures, curve=tuple(curve), seconds=seconds, data=data)

    def _read(
        self, result: object, job: Job, measures: dict[str, float] | None = None, **rest: Any
    ) -> Outcome:
        """The outcome of a result, with the `measures` of the network beside its own metrics."""
        try:
            value, metrics = split_metrics(
                result, self, job.problem.objectives, job.task, "the function returned"
            )
        except UsageError as error:
            return Crashed(str(error), seconds=rest.get("seconds", 0.0))
        return outcome_of(value, metrics={**(measures or {}), **metrics}, **rest)

    def prepare(self) -> None:
        _ = self._function
        if self.builds:
            import torch  # noqa: F401

    @cached_property
    def _function(self) -> Callable[..., Any]:
        if not isinstance(self.function, str):
            return self.function
        # An empty registry: it resolves `module:function`, and says in one sentence why it cannot.
        function: Callable[..., Any] = Registry("function", {}).get(self.function)
        check_function(function)
        return function
