"""Who does the work: the contract of an engine, and the one function all of them run.

An engine executes at least once; recording exactly once is the ledger's affair. An engine therefore
reports a lost execution (`Report.lost`) instead of inventing an outcome, and never retries by itself.
"""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cambrian.errors import CambrianError, Unbuildable
from cambrian.estimators.estimator import Context
from cambrian.outcome import Crashed, Infeasible, Outcome, Point, Trial


@dataclass(frozen=True)
class Work:
    """What all evaluations of a run have in common. `spec` is the same as JSON (`space`, `estimator`
    as registry specs, `task` as the directory of a prepared task or null), or None where a part of
    it cannot be named, which only `serial` can run."""

    space: Any
    estimator: Any
    task: Any
    spec: dict[str, Any] | None
    timeout: float | None = None
    """Seconds an evaluation may take."""
    memory: int | None = None
    """Bytes an evaluation may allocate beyond what the worker holds when it begins."""


class Assignment(msgspec.Struct, frozen=True):
    """One execution: attempt number `attempt` of `trial`, with the parts of its `Context`."""

    trial: Trial
    attempt: int
    seed: int = 0
    stage: str = "search"
    device: str = "cpu"
    checkpoints: str | None = None
    weights: str | None = None
    limits: dict[str, float] = {}

    def context(self) -> Context:
        return Context(
            seed=self.seed,
            trial=self.trial.number,
            stage=self.stage,
            device=self.device,
            checkpoints=Path(self.checkpoints) if self.checkpoints else None,
            weights=Path(self.weights) if self.weights else None,
            limits=dict(self.limits),
        )


class Report(msgspec.Struct, frozen=True):
    """News of an execution: a `point` of its curve, its `outcome` (the last report), or `lost`: the
    process doing it was killed from outside or vanished, and nobody can say how it would have ended."""

    number: int
    attempt: int
    point: Point | None = None
    outcome: Outcome | None = None
    lost: str | None = None


class Engine(ABC):
    """Life: `start(work)`, then `submit` and `wait` in any order, then `close`, which kills what is
    still running and leaves no process behind. `slots` assignments run at once; `submit` beyond that
    is a mistake of the caller's."""

    slots: int

    @abstractmethod
    def start(self, work: Work) -> None: ...

    @abstractmethod
    def submit(self, assignment: Assignment) -> None: ...

    @abstractmethod
    def wait(self, timeout: float | None = None) -> list[Report]:
        """Reports since the last call; blocks for the first one up to `timeout` seconds (None: for
        as long as something runs)."""

    @abstractmethod
    def close(self) -> None: ...


def evaluate(work: Work, assignment: Assignment) -> Iterator[Report]:
    """Run the estimator, turning whatever happens inside this process into reports; the last one
    carries the outcome."""
    number, attempt = assignment.trial.number, assignment.attempt
    started = time.perf_counter()
    try:
        estimate = work.estimator.estimate(
            work.space,
            assignment.trial.architecture,
            assignment.trial.fidelity,
            work.task,
            assignment.context(),
        )
        while True:
            try:
                point = next(estimate)
            except StopIteration as end:
                outcome: Outcome = end.value
                break
            yield Report(number, attempt, point=point)
    except Unbuildable as error:
        outcome = Infeasible("unbuildable", str(error))
    except (Exception, SystemExit) as error:
        outcome = _failure(error)
    seconds = time.perf_counter() - started
    if not outcome.seconds:
        outcome = msgspec.structs.replace(outcome, seconds=seconds)
    yield Report(number, attempt, outcome=outcome)


def _failure(error: BaseException) -> Outcome:
    text = f"{type(error).__name__}: {error}".strip()
    if isinstance(error, MemoryError) or _out_of_memory(text):
        return Infeasible("oom", text[:500])
    if isinstance(error, CambrianError):
        return Crashed(text[:500])
    return Crashed(text[:500], "".join(traceback.format_exception(error))[-20000:])


def _out_of_memory(text: str) -> bool:
    """torch raises a plain RuntimeError where its allocator fails."""
    lower = text.lower()
    return "out of memory" in lower or "can't allocate memory" in lower or "cannot allocate" in lower
