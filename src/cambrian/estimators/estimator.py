"""How good is it: the contract of an estimator."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cambrian.architecture import Architecture
from cambrian.outcome import Fidelity, Outcome, Point

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
    or None. `limits` are hard bounds by metric name ("params", "macs"), to be checked before training:
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


def finite(metrics: dict[str, float]) -> bool:
    return all(math.isfinite(v) for v in metrics.values())
