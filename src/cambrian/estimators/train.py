"""Real training, the estimator all shortcuts are measured against (Elsken et al. 2019, Sec. 4)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from cambrian.errors import UsageError
from cambrian.estimators.build import build_measured, signature
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.training_answers import apply_answers
from cambrian.estimators.training_run import TrainingRun, augment_for, score_network, start_training
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Done, Fidelity, Infeasible
from cambrian.request import Evaluate
from cambrian.weights import Continue, Fresh, Inherit

if TYPE_CHECKING:
    from pathlib import Path

    from cambrian.networks.training.augment import Augment
    from cambrian.spaces.space import Signature

WEIGHTS = "weights.safetensors"
"""The artifact of a network's weights, by its own names."""


@dataclass(frozen=True)
class Train(Recipe):
    """Builds the network and trains it by the recipe for `fidelity.epochs` epochs.

    In stage "search" it trains on the training part and scores each epoch on validation: `value` (the
    task's metric), `accuracy`, `balanced_accuracy`, `loss` and `train_loss` in every point. In stage
    "deliver" it trains on training and validation part together, the curve has `train_loss` only, and
    the one look at the test part is the last thing that happens: `test_accuracy`,
    `test_balanced_accuracy`, `test_loss`. Every outcome has `params`, `macs` where they can be
    counted, and the measures that are limits or objectives; a search's also `best_value` and `best_epoch`.

    A training whose loss is not finite, on what it learns from or is scored on, ends as
    Infeasible("nan"). Answers under `train.` take the place of settings. With
    `job.checkpoints` it goes on where it was killed, yielding the points it had once more.

    A training that the job allows to be shortened, and that would not be ready by the deadline, takes as
    many steps as fit, and its outcome says so: `epochs` it was trained of `planned_epochs`."""

    needs: ClassVar[tuple[type, ...]] = ()
    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Continue, Inherit)
    builds: ClassVar[bool] = True
    delivers: ClassVar[bool] = True

    def prepare(self) -> None:
        """Import all that a training needs, once for the trials that a worker process forks."""
        import torch._dynamo  # noqa: F401  (what torch's optimisers import when the first one is made)

        from cambrian.networks import checkpoint  # noqa: F401
        from cambrian.networks.measure import measure_network  # noqa: F401
        from cambrian.networks.training import trainer as training  # noqa: F401

    def run(self, job: Job) -> Estimate:
        started = time.perf_counter()
        if job.task is None:
            raise UsageError("training needs a task: data to train on")
        built = build_measured(job)
        if isinstance(built, Infeasible):
            return built
        network = built.network
        if isinstance(job.request.weights, Inherit):
            from cambrian.networks.inherit import inherit_weights

            inherit_weights(network, job.artifact(WEIGHTS), job.request.weights.move)
        recipe = apply_answers(self, job.architecture)
        score = partial(score_network, network, recipe, job.task, job)
        run = TrainingRun(
            job, job.task, recipe, start_training(network, recipe, job, job.task), score, started
        )
        ended = yield from run.train()
        return ended or _finish(run, built.metrics)

    def augmentation(self, task: Signature, fidelity: Fidelity) -> Augment:
        """The changes of a task's images in training, the automatic choices made; its text is for people."""
        return augment_for(self, task, fidelity)


def _finish(run: TrainingRun, measures: dict[str, float]) -> Done | Infeasible:
    """Of the finished training; leaves its artifacts where they are wanted."""
    job, keep = run.job, run.job.keep
    if keep is not None and not job.shorten:
        run.leave_training(keep)  # before the best weights take the place of the last
    run.take_best()
    if job.stage == "search":
        metrics = run.final_metrics()
    else:
        metrics = dict(run.curve[-1].metrics)
        scored = run.score()
        if not math.isfinite(scored["loss"]):  # by its last update: the training's losses were finite
            detail = "the loss of the trained network was not a finite number on the test part"
            return Infeasible("nan", detail, tuple(run.curve), run.seconds)
        metrics |= {f"test_{k}": v for k, v in scored.items() if k != "value"} | {"value": scored["value"]}
    value = metrics.pop("value")
    if keep is not None:
        _leave_weights(run, keep)
    metrics |= measures | run.report_shortening()
    return Done(value, metrics, tuple(run.curve), run.seconds, data=run.data)


def _leave_weights(run: TrainingRun, keep: Path) -> None:
    """The network's weights, with its outputs for a fixed input, by which it is known again."""
    from cambrian.networks.checkpoint import save_weights
    from cambrian.networks.known_outputs import describe_outputs

    seen = signature(run.task, run.job.fidelity)
    outputs = describe_outputs(run.training.network, (seen.channels, seen.height, seen.width))
    save_weights(run.training.network, keep / WEIGHTS, {"outputs": outputs} if outputs else {})
