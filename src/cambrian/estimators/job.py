"""A job: one request with all that its evaluation may know."""

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
    numbers wherever it stands in a run, and whoever carries it out. The request's fidelity is told.

    `stage` is "search" (train part, scored on validation), or "deliver" (train + validation, scored on
    test: the only stage that may touch it). `final` is the fidelity of the last stage (None: there is
    none): limits bound the network as it will be there too, before anything is trained.

    `checkpoints` is a directory of this row's own, where an interrupted evaluation is resumed from; None
    where nothing is to be resumed. `artifacts` are the files, by name, of the row whose weights the request
    names; empty where they are gone. `keep` is an empty directory: what is left there as NAME.safetensors
    or NAME.json becomes an artifact of the outcome; None where nobody will ask for it. `history` are the
    trials that the request was made knowing, for estimators that say `reads_history`.

    `root` are the weights with which the training began: those of the request, or, where that is continued,
    of the row in which it began.

    `deadline` is when it has to have ended, by `time.monotonic()`, None for whenever it is ready. By then an
    evaluation of the search raises OutOfTime: it will be done again, or not at all. Where `shorten` says so
    it ends with what it has instead, for which it may plan ahead."""

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
        fidelity = fidelity or Fidelity()
        bounds = tuple(Limit(name, most) for name, most in (limits or {}).items())
        problem = Problem(space, limits=bounds, fidelity=fidelity, seed=seed)
        request = Evaluate(architecture, fidelity, weights=weights, replicate=replicate)
        root = rest.pop("root", FRESH if isinstance(weights, Continue) else weights)
        return Job(request, problem, task, root=root, **rest)

    @property
    def space(self) -> Space:
        return self.problem.space

    @property
    def architecture(self) -> Architecture:
        """The one to measure; of a supernet's training, its outer answers."""
        return self.request.outer if isinstance(self.request, TrainSupernet) else self.request.architecture

    @property
    def fidelity(self) -> Fidelity:
        return self.request.fidelity or self.problem.fidelity

    @property
    def seed(self) -> int:
        return self.problem.seed

    @property
    def replicate(self) -> int:
        """Counts the independent measurements that were asked of the same architecture."""
        return self.request.replicate

    @property
    def identity(self) -> int:
        """Stands for what is measured, whatever its row's number and fidelity: the architecture and the
        replicate; of a supernet its outer answers and its method. 60 bits."""
        return identity_of(self.request)

    @property
    def limits(self) -> dict[str, float]:
        """Hard bounds by the name of the measure."""
        return {limit.measure: limit.most for limit in self.problem.limits}

    def artifact(self, name: str) -> Path:
        """The file of that name. Raises RunError where it is gone."""
        if name not in self.artifacts:
            row = source_row(self.request.weights)
            raise RunError(f"{name} of row {row} is not kept any more, and this row cannot begin without it")
        return self.artifacts[name]
