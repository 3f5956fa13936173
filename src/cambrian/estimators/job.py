"""A job: one request with everything that its evaluation may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.errors import RunError
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Limit, Problem
from cambrian.request import Evaluate, Request, TrainSupernet, identity_of
from cambrian.weights import FRESH, Continue, Weights, source_row

if TYPE_CHECKING:
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task

STAGES = ("search", "deliver")


@dataclass(frozen=True)
class Job:
    """The only argument of an estimator. All randomness derives from `seed` and `identity`
    (`randomness.stream(job.seed, "trial", job.identity, ...)`), so that the same request gives the same
    numbers at every place of a run and on every worker. The request names its fidelity.

    `stage` is "search" (train part, scored on validation), or "deliver" (train + validation, scored on
    test, which no other stage may touch). `final` is the fidelity of the last stage (None: there is no last
    stage): limits also bound the network at that fidelity, before anything is trained.

    `checkpoints` is a directory for this row alone, from which an interrupted evaluation resumes (None: it
    does not resume). `artifacts` are the files, by name, of the row whose weights the request names; empty
    if they are gone. `keep` is an empty directory: each file NAME.safetensors or NAME.json that is left there
    becomes an artifact of the outcome (None: artifacts are not wanted). `history` are the trials that the
    strategy had learned before the request, for estimators with `reads_history`.

    `root` are the weights with which the training began: those of the request, or, if it continues an earlier
    row, those of the row where the training began. `begun` is the fidelity of the row that it
    continues (None: it continues none).

    `deadline` is the latest end by `time.monotonic()` (None: no deadline). At the deadline an evaluation of
    the search raises OutOfTime, and is repeated or dropped. With `shorten` it ends with the result that it
    has, and may plan ahead for that."""

    request: Request
    problem: Problem
    task: Task | None = None
    number: int = 0
    stage: str = "search"
    device: str = "cpu"
    checkpoints: Path | None = None
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    keep: Path | None = None
    history: tuple[Trial, ...] = ()
    root: Weights = FRESH
    begun: Fidelity | None = None
    final: Fidelity | None = None
    deadline: float | None = None
    shorten: bool = False

    @staticmethod
    def of(
        space: Space,
        architecture: Architecture,
        fidelity: Fidelity | None = None,
        task: Task | None = None,
        *,
        seed: int = 0,
        limits: Mapping[str, float] | None = None,
        weights: Weights = FRESH,
        replicate: int = 0,
        **rest: Any,
    ) -> Job:
        """The job of measuring one architecture outside of a search. `rest` are fields of `Job`."""
        # A problem is part of every job; outside of a search it has this one request to hold.
        fidelity = fidelity or Fidelity()
        bounds = tuple(Limit(name, most) for name, most in (limits or {}).items())
        problem = Problem(space, limits=bounds, fidelity=fidelity, seed=seed)
        request = Evaluate(architecture, fidelity, weights=weights, replicate=replicate)
        # A continued training is one that began fresh, unless the caller says otherwise.
        root = rest.pop("root", FRESH if isinstance(weights, Continue) else weights)
        return Job(request, problem, task, root=root, **rest)

    @property
    def space(self) -> Space:
        return self.problem.space

    @property
    def architecture(self) -> Architecture:
        """The architecture to measure; for the training of a supernet, its outer answers."""
        return self.request.outer if isinstance(self.request, TrainSupernet) else self.request.architecture

    @property
    def fidelity(self) -> Fidelity:
        return self.request.fidelity or self.problem.fidelity

    @property
    def seed(self) -> int:
        return self.problem.seed

    @property
    def replicate(self) -> int:
        """The number of this measurement among independent ones of the same architecture."""
        return self.request.replicate

    @property
    def identity(self) -> int:
        """A hash of 60 bits of the measured object, independent of the row's number and fidelity: of the
        architecture and the replicate, or of a supernet's outer answers, method and replicate."""
        return identity_of(self.request)

    @property
    def limits(self) -> dict[str, float]:
        """The hard limits, by the name of the measure."""
        return {limit.measure: limit.most for limit in self.problem.limits}

    def artifact(self, name: str) -> Path:
        """The file of that name. Raises RunError if it is gone."""
        if name not in self.artifacts:
            row = source_row(self.request.weights)
            raise RunError(f"{name} of row {row} is not kept any more, and this row cannot begin without it")
        return self.artifacts[name]
