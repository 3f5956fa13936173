"""The contract of an engine: what it is given, what it reports (see `evaluation` for the work itself).

An engine executes at least once; recording exactly once is the ledger's affair. An engine therefore
reports a lost execution (`Report.lost`) instead of inventing an outcome, and never retries by itself.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from cambrian.errors import DiskRefused
from cambrian.estimators.estimator import Job
from cambrian.outcome import Artifact, Fidelity, Outcome, Point, Trial
from cambrian.problem import Problem
from cambrian.request import request_of
from cambrian.search.ledger.keys import trial_name
from cambrian.search.ledger.store import DRAFTS
from cambrian.weights import FRESH, Weights


@dataclass(frozen=True)
class Work:
    """The part that all evaluations of a run share. `estimators` by name, "" the first. `directory` is the
    run's, where evaluations find checkpoints and artifacts and leave theirs; without one they cannot.
    `spec` lets another process make the same: space and estimators as registry specs, `task` as the
    directory of a prepared task or null; None where a part cannot be named, which only `serial` can run."""

    problem: Problem
    estimators: Mapping[str, Any]
    task: Any = None
    final: Fidelity | None = None
    device: str = "cpu"
    directory: Path | None = None
    spec: dict[str, Any] | None = None
    timeout: float | None = None
    """Seconds an evaluation may take."""
    memory: int | None = None
    """Bytes an evaluation may allocate beyond those that the worker holds when it begins."""
    threads: int = 1
    """Threads of torch within an operation. The last bits of sums depend on their number, and trainings on
    those bits: an engine's setting, since engines are to agree."""
    continues: bool = False
    """Whether a network keeps the skeleton of its trial in the last stage, to go on from its weights."""

    def job(self, assignment: Assignment) -> Job:
        """The job of the estimator."""
        trial = assignment.trial
        return Job(
            request=request_of(trial),
            problem=self.problem,
            task=self.task,
            number=trial.number,
            stage=assignment.stage,
            device=self.device,
            checkpoints=self._place("checkpoints", trial_name(trial)),
            artifacts=self._artifacts(assignment),
            keep=self._draft(assignment) if assignment.keep else None,
            history=assignment.history,
            root=assignment.root,
            begun=assignment.begun,
            final=self._final(trial),
            deadline=assignment.deadline,
            shorten=assignment.shorten,
        )

    def _final(self, trial: Trial) -> Fidelity | None:
        if self.final is None or not self.continues:
            return self.final
        return msgspec.structs.replace(self.final, skeleton=trial.fidelity.skeleton)

    def estimator(self, trial: Trial) -> Any:
        """The estimator that the trial's request names."""
        return self.estimators[trial.estimator]

    def _place(self, *parts: str) -> Path | None:
        return None if self.directory is None else self.directory.joinpath(*parts)

    def _artifacts(self, assignment: Assignment) -> dict[str, Path]:
        """The files by name. One that was given up to save room is left out."""
        if self.directory is None:
            return {}
        files = {name: self.directory / artifact.file for name, artifact in assignment.artifacts.items()}
        return {name: file for name, file in files.items() if file.exists()}

    def _draft(self, assignment: Assignment) -> Path | None:
        """An empty directory for the artifacts of this attempt."""
        place = self._place(DRAFTS, f"{trial_name(assignment.trial)}-{assignment.attempt}")
        if place is not None:
            # Files that lie in it are of another evaluation, and would be adopted with this one's.
            shutil.rmtree(place, ignore_errors=True)
            try:
                place.mkdir(parents=True)
            except OSError as error:  # whatever its reason, no architecture is to blame
                raise DiskRefused(f"the disk refused {place}: {error.strerror or error}") from error
        return place


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """One execution: attempt number `attempt` of `trial`. `keep` says that its artifacts are wanted;
    `artifacts` are those of the row whose weights it begins with; `history` is for an estimator that reads
    it; `threads` are those that it may compute on (0: the engine's). See `Job` for the rest. It holds no
    path: where a file lies is the engine's affair."""

    trial: Trial
    attempt: int
    stage: str = "search"
    keep: bool = False
    artifacts: dict[str, Artifact] = {}
    history: tuple[Trial, ...] = ()
    root: Weights = FRESH
    begun: Fidelity | None = None
    deadline: float | None = None
    shorten: bool = False
    threads: int = 0


class Report(msgspec.Struct, frozen=True, tag="report"):
    """News of an execution: a `point` of its curve, its `outcome` (the last report), or `lost`: its
    process was killed from outside or vanished, and nobody can say how it would have ended, or `refused`:
    the disk did not take its files, and would not take those of the next one either."""

    number: int
    attempt: int
    point: Point | None = None
    outcome: Outcome | None = None
    lost: str | None = None
    refused: str | None = None

    @property
    def last(self) -> bool:
        """Whether this is the end of the trial's attempt."""
        return any(end is not None for end in (self.outcome, self.lost, self.refused))


class Engine(ABC):
    """Life: `start(work)`, then `submit`, `wait` and `cancel` in any order, then `close`, which kills
    the running evaluations and leaves no process behind; `start` may follow again. `slots` assignments
    run at once; `submit` beyond that is a mistake of the caller's."""

    slots: int
    elsewhere: ClassVar[bool] = False
    """Whether evaluations run in processes that load components by name: one without a name then runs on
    engine `serial`."""
    bounds_memory: ClassVar[bool] = True
    """Whether it keeps the bound on the memory of an evaluation (see `Work`)."""

    @property
    def threads_of_one(self) -> int:
        """The threads that an evaluation may compute on while it is the only one."""
        return self.slots * int(getattr(self, "threads", 1))

    @property
    def slots_here(self) -> int:
        """The trials at a time that are sure to share this machine's memory."""
        return self.slots

    def require(self) -> None:  # noqa: B027
        """Raises MissingExtra where a library that the engine needs is not installed."""

    @abstractmethod
    def start(self, work: Work) -> None: ...

    @abstractmethod
    def submit(self, assignment: Assignment) -> None: ...

    @abstractmethod
    def wait(self, timeout: float | None = None) -> list[Report]:
        """Reports since the last call; blocks for the first one up to `timeout` seconds (None: for
        as long as an evaluation runs). Returns at once where none runs. Raises RunError where the
        engine cannot do any work."""

    @abstractmethod
    def cancel(self, number: int) -> None:
        """Stop trial `number`. Its last report follows: `lost`, or an outcome that was faster."""

    @abstractmethod
    def close(self) -> None: ...
