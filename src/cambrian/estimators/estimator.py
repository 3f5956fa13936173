"""How good is it: the contract of an estimator, and any user's function as one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Infeasible, Outcome, Point, outcome_of

if TYPE_CHECKING:
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class Context:
    """What an evaluation may know besides what is evaluated. All randomness derives from `seed` and
    `trial` (`randomness.stream(context.seed, "trial", context.trial, ...)`), so that an attempt
    repeated on another worker gives the same numbers.

    `stage` is "search" (train part, scored on validation), or "deliver" (train + validation, scored
    on test: the only stage that may touch it). `checkpoints` is a directory of this trial's own, or
    None where nothing is to be resumed; `weights` is where to leave the trained weights (.safetensors),
    or None. `limits` are hard bounds by the name of a measure, to be checked before training:
    on the network that is measured, and on what the architecture becomes at `final`, the fidelity of
    the last stage (None: there is none). `replicate` counts the independent measurements that were
    asked of the same architecture.

    `deadline` is when it has to have ended, by `time.monotonic()`, None for whenever it is ready. By then an
    evaluation of the search raises OutOfTime: it will be done again, or not at all. Where `shorten` says so
    it ends with what it has instead, for which it may plan ahead."""

    seed: int = 0
    trial: int = 0
    stage: str = "search"
    device: str = "cpu"
    checkpoints: Path | None = None
    weights: Path | None = None
    limits: dict[str, float] = field(default_factory=dict)
    replicate: int = 0
    final: Fidelity | None = None
    deadline: float | None = None
    shorten: bool = False


class OutOfTime(Exception):
    """An evaluation has no result by its deadline."""


Estimate = Generator[Point, None, Outcome]
"""Yields the points of the learning curve as they come, returns the outcome."""


@runtime_checkable
class Estimator(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings. They wrap one
    another with `yield from`."""

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

    def estimate(
        self,
        space: Space,
        architecture: Architecture,
        fidelity: Fidelity,
        task: Task | None,
        context: Context,
    ) -> Estimate: ...


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

    def estimate(
        self,
        space: Space,
        architecture: Architecture,
        fidelity: Fidelity,
        task: Task | None,
        context: Context,
    ) -> Estimate:
        started = time.perf_counter()
        function = self._function()
        subject: Any = architecture
        if self.builds:
            from cambrian.estimators.build import build_network

            network = build_network(space, architecture, fidelity, task, context)
            if isinstance(network, Infeasible):
                return network
            subject = network
        result = function(subject, fidelity)
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
        return outcome_of(result, curve=tuple(curve), seconds=time.perf_counter() - started)

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
