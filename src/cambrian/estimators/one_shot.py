"""One-shot models (Elsken et al. 2019, Sec. 4): a supernet is trained once, and its architectures are scored
with its weights, without a training of their own."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cambrian.codec import encode
from cambrian.errors import UsageError
from cambrian.estimators.build import hold_to_limits
from cambrian.estimators.channel_shares import describe_channels
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.gate_course import judge_course
from cambrian.estimators.generated_weights import describe_hypernetwork
from cambrian.estimators.scoring import score_network
from cambrian.estimators.supernets import (
    OUTER,
    SUPERNET,
    holds_supernet,
    list_paths,
    load_supernet,
    make_supernet,
    read_statistics_batches,
)
from cambrian.estimators.training_data import scoring_images
from cambrian.estimators.training_run import TrainingRun
from cambrian.estimators.training_start import augment_for, start_training
from cambrian.networks.training.recipe import LATER, Recipe
from cambrian.outcome import Done, Fidelity, Infeasible, Outcome
from cambrian.request import Evaluate, TrainSupernet
from cambrian.settings import Span
from cambrian.spaces.knowledge import Mixes, Shares, know
from cambrian.weights import Continue, Fresh, Shared

if TYPE_CHECKING:
    from cambrian.architecture import Architecture
    from cambrian.networks.sharing.memo import Memo
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.step import Step
    from cambrian.tasks.task import Task

STATISTICS = ("measured", "running", "batch")
WARMING = 1.0
"""Seconds in which a worker fills the memo of a supernet, of whose children there are hundreds."""

MEMBERS = ("take", "state", "restore", "prefix")
"""What a step has (see `networks/training/step.py`)."""

COURSE = "course"
"""What a method with gates says of each epoch."""


@dataclass(frozen=True)
class OneShot(Recipe):
    """Trains supernets by the recipe, and scores architectures with their weights.

    The value of a supernet is the mean score of `paths` random architectures in it; of one with gates, the
    score of the architecture that they stand for. `statistics` are those
    of batch normalisation when an architecture is scored: "measured" for the architecture, as means over
    `statistics_batches` batches of the training part; "running", the averages of the training, over all
    architectures; or "batch", those of the scored batch itself. Published figures differ by them."""

    paths: Annotated[int, Span(1, 1000)] = field(default=4, metadata=LATER)
    statistics: str = field(default="measured", metadata=LATER)
    statistics_batches: Annotated[int, Span(1, 10_000)] = field(default=8, metadata=LATER)
    needs: ClassVar[tuple[type, ...]] = (Shares,)
    serves: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Continue, Shared)
    builds: ClassVar[bool] = False  # a supernet is as large as all its networks: it has no limits
    limits_scores: ClassVar[bool] = True
    delivers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.statistics not in STATISTICS:
            raise UsageError(
                f"estimator 'one-shot': statistics is one of {', '.join(STATISTICS)}, got {self.statistics!r}"
            )
        if self.precision != "auto":
            raise UsageError(
                f"estimator 'one-shot': supernets are trained in precision auto, got {self.precision!r}"
            )

    def plan_epochs(self, architecture: Architecture, fidelity: Fidelity) -> int:
        """The epochs of a supernet's training, to whose own recipe no answers belong."""
        return self.count_epochs(fidelity.epochs)

    def run(self, job: Job) -> Estimate:
        if job.task is None:
            raise UsageError("a supernet needs a task: data to train on")
        if isinstance(job.request, TrainSupernet):
            outcome: Outcome = yield from self._train(job, job.request, job.task)
            return outcome
        if not isinstance(job.request.weights, Shared):
            raise UsageError(
                "estimator 'one-shot' scores architectures with a supernet's weights: ask for Shared(row)"
            )
        return self._score_one(job, job.task)

    def hold(self, job: Job) -> bool:
        """Keep the supernet and the images with which a child was scored, for its siblings."""
        if (
            job.task is None
            or not isinstance(job.request.weights, Shared)
            or holds_supernet(job, self.statistics)
        ):
            return False
        _, supernet, memo = load_supernet(job, job.task, self.statistics)
        scoring_images(job.task, job.fidelity, "search", job.device)
        if self.statistics == "measured":
            read_statistics_batches(job, job.task, self, self.statistics_batches)
        self._warm(job, job.task, supernet, memo)
        return True

    def _warm(self, job: Job, task: Task, supernet: Supernet, memo: Memo) -> None:
        """Score random children, so that those to come, each in its own process, find what they share."""
        draw, began, calls = list_paths(job, supernet), time.perf_counter(), -1
        # As long as it is worth it: until the memo is full, or the worker has waited long enough.
        while len(memo) > calls and time.perf_counter() - began < WARMING:
            calls = len(memo)
            for number in range(calls, calls + 2):
                supernet.choose(draw(number))
                self._score(job, task, supernet, memo)

    def make_method(self, job: Job, task: Task, supernet: Supernet) -> Step:
        """The step by which the job's request trains the supernet."""
        from cambrian.networks.sharing.methods import SUPERNET_METHODS
        from cambrian.networks.training.batch_stream import BatchStream

        assert isinstance(job.request, TrainSupernet)
        # Methods with gates (DARTS) learn them on the validation part, as the paper's outer level does.
        images = scoring_images(task, job.fidelity, "search", job.device)
        augment = augment_for(self, task, job.fidelity)
        name = (job.seed, "validation", job.identity)
        validation = BatchStream(images, augment, self.batches(len(images)), name)
        method = SUPERNET_METHODS.make(job.request.method or "uniform")
        step: Step = method.step(supernet, self, list_paths(job, supernet), validation)
        lacking = [member for member in MEMBERS if not hasattr(step, member)]
        if lacking:
            raise UsageError(
                f"the supernet method {type(method).__name__!r} returns a {type(step).__name__!r} as a step,"
                f" which lacks {', '.join(lacking)}"
            )
        return step

    def _train(self, job: Job, request: TrainSupernet, task: Task) -> Estimate:
        started = time.perf_counter()
        # On its device before the method is made, whose gates are made where the weights are.
        supernet = make_supernet(job, task, request.outer).to(job.device)
        method = self.make_method(job, task, supernet)
        training = start_training(supernet, self, job, task, method)
        score = partial(self._score_supernet, job, task, supernet, method)
        run = TrainingRun(job, task, self, training, score, started, partial(_learned, method))
        failure = yield from run.train()
        if failure is not None:
            return failure
        if job.keep is not None:
            self._leave(run, supernet)
        metrics = run.final_metrics()
        value = metrics.pop("value")
        metrics |= run.report_length()
        learned = run.list_learned() | _course(method)
        data = run.data | judge_course(job.space, supernet.outer, learned)
        return Done(value, metrics, tuple(run.curve), run.seconds, data=data)

    def _score_supernet(self, job: Job, task: Task, supernet: Supernet, method: Step) -> dict[str, float]:
        """The mean metrics of a few architectures: those of its gates, or random ones, the same after each
        epoch. Scoring measures their statistics, so that those of the training are restored afterwards."""
        held = {k: v.detach().clone() for k, v in supernet.state_dict().items()}
        scores = []
        for architecture in self._choose_scored(job, supernet, method):
            supernet.choose(architecture)
            scores.append(self._score(job, task, supernet))
        supernet.load_state_dict(held)
        return {name: sum(s[name] for s in scores) / len(scores) for name in scores[0]}

    def _choose_scored(self, job: Job, supernet: Supernet, method: Step) -> list[Architecture]:
        from cambrian.networks.sharing.methods.method import HasGates

        mixes = know(job.space, Mixes)
        if mixes is not None and isinstance(method, HasGates):
            return [mixes.derive(method.gates(), supernet.outer)]
        draw = list_paths(job, supernet)
        # Negative numbers: the training's own draws count up from 0, and are other architectures.
        return [draw(-1 - n) for n in range(self.paths)]

    def _score_one(self, job: Job, task: Task) -> Outcome:
        started = time.perf_counter()
        # Before the supernet is touched: an architecture over a limit is never scored.
        measures = hold_to_limits(job, task) if job.limits else {}
        if isinstance(measures, Infeasible):
            return measures
        _, supernet, memo = load_supernet(job, task, self.statistics)
        supernet.choose(job.architecture)
        metrics = self._score(job, task, supernet, memo)
        value = metrics.pop("value")
        return Done(value, metrics | measures, seconds=time.perf_counter() - started)

    def _score(self, job: Job, task: Task, supernet: Supernet, memo: Memo | None = None) -> dict[str, float]:
        """The metrics of the chosen architecture. Where the weights are those of its siblings, `memo` keeps
        what they share."""
        from cambrian.networks.sharing.memo import SCORES, STATISTICS, Memo
        from cambrian.networks.sharing.norms import measure_statistics, score_by_batch

        memo = Memo(supernet, 0) if memo is None else memo
        if self.statistics == "measured":
            batches = read_statistics_batches(job, task, self, self.statistics_batches)
            for inputs in batches:
                memo.know(inputs)
            with memo.used(STATISTICS):
                measure_statistics(supernet, batches)
        by_batch = score_by_batch(supernet) if self.statistics == "batch" else nullcontext()
        with by_batch, memo.used(SCORES):
            return score_network(supernet, self, task, job, memo)

    def _leave(self, run: TrainingRun, supernet: Supernet) -> None:
        from cambrian.networks.checkpoint import save_weights

        assert run.job.keep is not None
        run.leave_training(run.job.keep)  # before the best weights take the place of the last
        run.take_best()
        facts = {OUTER: encode(supernet.outer).decode()} | describe_channels(run.job, supernet)
        facts |= describe_hypernetwork(run.job)
        save_weights(supernet, run.job.keep / SUPERNET, facts)


def _learned(method: Step) -> dict[str, Any]:
    """The gates of a method that has some, and its other data, but for the course: it is of all epochs."""
    from cambrian.networks.sharing.methods.method import HasData, HasGates

    gates = {"gates": msgspec.to_builtins(method.gates())} if isinstance(method, HasGates) else {}
    data = method.data() if isinstance(method, HasData) else {}
    return gates | {name: each for name, each in data.items() if name != COURSE}


def _course(method: Step) -> dict[str, Any]:
    from cambrian.networks.sharing.methods.method import HasData

    data = method.data() if isinstance(method, HasData) else {}
    return {name: each for name, each in data.items() if name == COURSE}
