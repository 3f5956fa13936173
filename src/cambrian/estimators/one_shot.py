"""One-shot models (Elsken et al. 2019, Sec. 4): a supernet is trained once, and its architectures are scored
with its weights, without a training of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture, replay
from cambrian.codec import encode
from cambrian.errors import Rejected, SpaceError, UsageError
from cambrian.estimators.build import signature
from cambrian.estimators.channel_shares import describe_channels, share
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.gate_course import judge_course, show_sites
from cambrian.estimators.training_data import scoring_images, training_images
from cambrian.estimators.training_run import TrainingRun, augment_for, score_network, start_training
from cambrian.networks.training.recipe import LATER, Recipe
from cambrian.outcome import Done, Outcome
from cambrian.randomness import integer_seed, stream
from cambrian.request import Evaluate, TrainSupernet
from cambrian.settings import Span
from cambrian.spaces.knowledge import Shares, know
from cambrian.weights import Continue, Fresh, Shared, source_row

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.step import Step
    from cambrian.tasks.task import Task

SUPERNET = "supernet.safetensors"
"""The artifact of a supernet's weights."""
OUTER = "outer"
"""The text beside them: the answers that the supernet was made for, as JSON."""
STATISTICS = ("measured", "running", "batch")
DRAWS = 1000  # rejected architectures in a row before the outer answers count as impossible


@dataclass(frozen=True)
class OneShot(Recipe):
    """Trains supernets by the recipe, and scores architectures with their weights.

    The value of a supernet is the mean score of `paths` random architectures in it. `statistics` are those
    of batch normalisation when an architecture is scored: "measured" for the architecture, as means over
    `statistics_batches` batches of the training part; "running", the averages of the training, over all
    architectures; or "batch", those of the scored batch itself. Published figures differ by them."""

    paths: Annotated[int, Span(1, 1000)] = field(default=4, metadata=LATER)
    statistics: str = field(default="measured", metadata=LATER)
    statistics_batches: Annotated[int, Span(1, 10_000)] = field(default=8, metadata=LATER)
    needs: ClassVar[tuple[type, ...]] = (Shares,)
    serves: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Continue, Shared)
    builds: ClassVar[bool] = False  # nothing of it is limited: a supernet is as large as all its networks
    delivers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.statistics not in STATISTICS:
            raise UsageError(
                f"estimator 'one-shot': statistics is one of {', '.join(STATISTICS)}, got {self.statistics!r}"
            )

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

    def _train(self, job: Job, request: TrainSupernet, task: Task) -> Estimate:
        started = time.perf_counter()
        supernet = make_supernet(job, task, request.outer)
        method = self._method(job, request, task, supernet)
        training = start_training(supernet, self, job, task, method)
        score = partial(self._score_paths, job, task, supernet)
        run = TrainingRun(job, task, self, training, score, started)
        failure = yield from run.train()
        if failure is not None:
            return failure
        if job.keep is not None:
            self._leave(run, supernet)
        metrics = run.final_metrics()
        value = metrics.pop("value")
        data = run.data | judge_course(job.space, supernet.outer, _learned(method))
        return Done(value, metrics, tuple(run.curve), run.seconds, data=data)

    def _method(self, job: Job, request: TrainSupernet, task: Task, supernet: Supernet) -> Step:
        from cambrian.networks.sharing.methods import SUPERNET_METHODS
        from cambrian.networks.training.batch_stream import BatchStream

        # Methods with gates (DARTS) learn them on the validation part, as the paper's outer level does.
        images = scoring_images(task, job.fidelity, "search", job.device)
        augment = augment_for(self, task, job.fidelity)
        name = (job.seed, "validation", job.identity)
        validation = BatchStream(images, augment, self.batches(len(images)), name)
        draw = partial(_draw, job, supernet)
        step: Step = SUPERNET_METHODS.make(request.method or "uniform").step(supernet, self, draw, validation)
        return step

    def _score_paths(self, job: Job, task: Task, supernet: Supernet) -> dict[str, float]:
        """The mean metrics of a few random architectures, the same ones after each epoch. Scoring measures
        their statistics, so that those of the training are restored afterwards."""
        held = {k: v.detach().clone() for k, v in supernet.state_dict().items()}
        scores = []
        for n in range(self.paths):
            # Negative numbers: the training's own draws count up from 0, and are other architectures.
            supernet.choose(_draw(job, supernet, -1 - n))
            scores.append(self._score(job, task, supernet))
        supernet.load_state_dict(held)
        return {name: sum(s[name] for s in scores) / len(scores) for name in scores[0]}

    def _score_one(self, job: Job, task: Task) -> Outcome:
        from cambrian.networks.checkpoint import load_weights

        started = time.perf_counter()
        supernet, weights = make_supernet(job, task, job.architecture), job.artifact(SUPERNET)
        _check_outer(job, supernet, weights)
        load_weights(supernet, weights)
        supernet.choose(job.architecture)
        metrics = self._score(job, task, supernet)
        value = metrics.pop("value")
        return Done(value, metrics, seconds=time.perf_counter() - started)

    def _score(self, job: Job, task: Task, supernet: Supernet) -> dict[str, float]:
        from cambrian.networks.sharing.norms import measure_statistics, score_by_batch

        if self.statistics == "batch":
            with score_by_batch(supernet):
                return score_network(supernet, self, task, job)
        if self.statistics == "measured":
            measure_statistics(supernet, self._statistics_batches(job, task))
        return score_network(supernet, self, task, job)

    def _statistics_batches(self, job: Job, task: Task) -> Iterator[Tensor]:
        """The first batches of the training part, in the same order for all architectures."""
        from cambrian.networks.training.augment import Augment
        from cambrian.networks.training.batch_stream import BatchStream

        images = training_images(task, job.fidelity, "search", job.seed, job.device)
        steps = self.batches(len(images))
        # Without augmentation: the statistics are those of scoring, which does not change images either.
        batches = BatchStream(images, Augment(), steps, (job.seed, "statistics"))
        for step in range(min(self.statistics_batches, steps)):
            yield batches.batch(0, step)[0]

    def _leave(self, run: TrainingRun, supernet: Supernet) -> None:
        from cambrian.networks.checkpoint import save_weights

        assert run.job.keep is not None
        run.leave_training(run.job.keep)  # before the best weights take the place of the last
        run.take_best()
        facts = {OUTER: encode(supernet.outer).decode()} | describe_channels(run.job)
        save_weights(supernet, run.job.keep / SUPERNET, facts)


def make_supernet(job: Job, task: Task, outer: Architecture) -> Supernet:
    """The supernet of the outer answers in `outer`, with initial weights by (seed, identity). Raises
    SpaceError for a space without forks that can be shared."""
    import torch

    from cambrian.networks.pointwise import avoid_strided_pointwise

    space = know(job.space, Shares)
    if space is None:
        raise SpaceError(f"the space {type(job.space).__name__} cannot be shared: it has no forks of modules")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(job.seed, "weights", job.identity))
        supernet = share(job, outer, signature(task, job.fidelity))
    avoid_strided_pointwise(supernet)
    show_sites(job.space, supernet)
    return supernet


def _check_outer(job: Job, supernet: Supernet, weights: Path) -> None:
    """Raises UsageError where `weights` are of a supernet with other outer answers: of an activation, say,
    they would fit."""
    from cambrian.networks.checkpoint import load_facts

    made_for = msgspec.json.decode(load_facts(weights)[OUTER])
    for path, answer in supernet.outer.items():
        if made_for.get(path) != answer:
            raise UsageError(
                f"the supernet of row {source_row(job.request.weights)} was made for the answer"
                f" {made_for.get(path)!r} to question {path!r}, and the architecture has {answer!r}"
            )


def _draw(job: Job, supernet: Supernet, number: int) -> Architecture:
    """A random architecture of the supernet. Raises SpaceError if none is found."""
    # The offset makes every number positive: a stream's name holds whole numbers from 0 on.
    rng = stream(job.seed, "path", job.identity, number + (1 << 40))
    for _ in range(DRAWS):
        try:
            return replay(job.space, supernet.outer, lambda choice: choice.draw(rng))
        except Rejected:
            continue
    raise SpaceError("the space rejects random architectures with these outer answers")


def _learned(method: Step) -> dict[str, Any]:
    """The gates of a method that has some, and its other data."""
    from cambrian.networks.sharing.methods.method import HasData, HasGates

    gates = {"gates": msgspec.to_builtins(method.gates())} if isinstance(method, HasGates) else {}
    return gates | (method.data() if isinstance(method, HasData) else {})
