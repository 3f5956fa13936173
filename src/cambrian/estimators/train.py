"""Full training, the reference for all cheaper estimators (Elsken et al. 2019, Sec. 4)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cambrian.effort import FREE, Axis
from cambrian.errors import UsageError
from cambrian.estimators.build import build_measured, signature
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.inheritance import WEIGHTS, Inheritance, describe_origin, inherit
from cambrian.estimators.scoring import score_network
from cambrian.estimators.trained_metrics import measure_trained
from cambrian.estimators.training_answers import apply_answers
from cambrian.estimators.training_run import TrainingRun
from cambrian.estimators.training_start import augment_for, start_training
from cambrian.networks.training.recipe import LATER, Recipe
from cambrian.outcome import Curve, Done, Fidelity, Infeasible
from cambrian.request import Evaluate
from cambrian.weights import AS_TRAINED, Continue, Fresh, Inherit

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from cambrian.architecture import Architecture
    from cambrian.networks.training.augment import Augment
    from cambrian.spaces.space import Signature

__all__ = ["WEIGHTS", "Train"]


@dataclass(frozen=True)
class Train(Recipe):
    """Builds the network and trains it by the recipe for `fidelity.epochs` epochs.

    In stage "search" it trains on the training part and scores each epoch on validation: `value` (the
    task's metric), `accuracy`, `balanced_accuracy`, `loss` and `train_loss` in every point. In stage
    "deliver" it trains on training and validation part together, the curve has `train_loss` only, and
    the test part is scored once, at the very end: `test_accuracy`, `test_balanced_accuracy`, `test_loss`.
    Every outcome has `params`, `macs` if they can be counted, the measures that are limits or objectives, and
    the metrics of trained networks that are objectives, on the part that is scored; one of a search also has
    `best_value` and `best_epoch`.

    A training whose loss on the training part or the scored part is not finite ends as Infeasible("nan").
    Answers under `train.` replace settings of the recipe. With `job.checkpoints` it resumes after being
    killed, and yields the earlier points of its curve again.

    `pretrained` is a safetensors file: a network that would begin with random weights begins with the tensors
    of that file whose names and shapes agree with its own ("": none). Its path is part of what identifies a
    measurement.

    A training that the job allows to shorten, and that would miss the deadline, takes as many steps as fit;
    its outcome then has the trained `epochs` and the `planned_epochs`. Where the fidelity bounds the seconds,
    the outcome has the trained `epochs` and `steps`, and nothing was planned."""

    pretrained: str = field(default="", metadata=LATER)
    needs: ClassVar[tuple[type, ...]] = ()
    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Continue, Inherit)
    axes: ClassVar[tuple[Axis, ...]] = FREE
    builds: ClassVar[bool] = True
    delivers: ClassVar[bool] = True

    def prepare(self) -> None:
        """Imports all modules of a training, once for the trials that a worker process forks."""
        import torch._dynamo  # noqa: F401  (torch's optimisers import it when the first one is made)

        from cambrian.networks import checkpoint  # noqa: F401
        from cambrian.networks.measure import macs, measure_network, params  # noqa: F401
        from cambrian.networks.training import trainer as training  # noqa: F401

    def plan_epochs(self, architecture: Architecture, fidelity: Fidelity) -> int:
        """The epochs of a training that nothing ends early: the answers may say a share of the fidelity's."""
        return apply_answers(self, architecture).count_epochs(fidelity.epochs)

    def run(self, job: Job) -> Estimate:
        started = time.perf_counter()
        if job.task is None:
            raise UsageError("training needs a task: data to train on")
        built = build_measured(job)
        if isinstance(built, Infeasible):
            return built
        network = built.network
        inheritance = self._take_weights(network, job)
        # Only now: the network is built and limited by the architecture alone, whatever its recipe.
        recipe = apply_answers(self, job.architecture)
        score = partial(score_network, network, recipe, job.task, job)
        if _is_as_trained(job):
            return _hand_over(network, job, recipe, score, inheritance.steps, built.metrics, started)
        training = start_training(network, recipe, job, job.task)
        training.begin_with(inheritance.moments)
        training.begin_after(inheritance.steps)
        run = TrainingRun(job, job.task, recipe, training, score, started)
        run.data |= inheritance.facts
        ended = yield from run.train()
        return ended or _finish(run, built.metrics)

    def _take_weights(self, network: nn.Module, job: Job) -> Inheritance:
        """Gives the network the weights that it begins with, if they are not random."""
        if isinstance(job.request.weights, Inherit):
            return inherit(network, job, job.request.weights.move)
        if self.pretrained:
            from cambrian.networks.inherit import inherit_weights

            inherit_weights(network, Path(self.pretrained))
        return Inheritance()

    def augmentation(self, task: Signature, fidelity: Fidelity) -> Augment:
        """The augmentation of a task's images, with automatic settings resolved; its text is for people."""
        return augment_for(self, task, fidelity)


def _is_as_trained(job: Job) -> bool:
    return isinstance(job.request.weights, Inherit) and job.request.weights.move == AS_TRAINED


def _hand_over(
    network: nn.Module,
    job: Job,
    recipe: Recipe,
    score: Callable[[], dict[str, float]],
    steps: int,
    measures: dict[str, float],
    started: float,
) -> Done | Infeasible:
    """The outcome of a network that learned for so many steps in the search and learns no more: its scores on
    the test part, at a delivery, or once more on validation."""
    from cambrian.networks.pointwise import memory_format

    assert job.task is not None
    network.to(job.device, memory_format=memory_format(network))  # type: ignore[call-overload]
    scored = score()
    if not math.isfinite(scored["loss"]):
        return _refuse_infinite((), time.perf_counter() - started)
    metrics, value = _name_scores(scored, job)
    if job.keep is not None:
        _leave_weights(network, job, steps, job.keep)
    metrics |= measures | measure_trained(network, job, job.task, 4 * recipe.batch_size)
    return Done(value, metrics, (), time.perf_counter() - started)


def _refuse_infinite(curve: Curve, seconds: float) -> Infeasible:
    detail = "the loss of the trained network was not a finite number on the test part"
    return Infeasible("nan", detail, curve, seconds)


def _name_scores(scored: dict[str, float], job: Job) -> tuple[dict[str, float], float]:
    """The scores by the names that tell the test part from others, and the value."""
    prefix = "test_" if job.stage == "deliver" else ""
    return {f"{prefix}{k}": v for k, v in scored.items() if k != "value"}, scored["value"]


def _finish(run: TrainingRun, measures: dict[str, float]) -> Done | Infeasible:
    """The outcome of a finished training; saves its artifacts if they are wanted."""
    job, keep = run.job, run.job.keep
    if keep is not None and not job.shorten:  # a last training is continued by none
        run.leave_training(keep)  # before the best weights take the place of the last
    run.take_best()
    # A search never touches the test part; a delivery scores it here, once.
    if job.stage == "search":
        metrics = run.final_metrics()
    else:
        metrics = dict(run.curve[-1].metrics)
        scored = run.score_last()
        if not math.isfinite(scored["loss"]):  # by its last update: the training's losses were finite
            return _refuse_infinite(tuple(run.curve), run.seconds)
        tested, metrics["value"] = _name_scores(scored, job)
        metrics |= tested
    value = metrics.pop("value")
    if keep is not None:
        _leave_weights(run.training.network, job, run.training.steps_learned, keep)
    # After the weights are kept: a metric that fails costs no training.
    trained = measure_trained(run.training.network, job, run.task, 4 * run.recipe.batch_size)
    metrics |= measures | trained | run.report_length()
    return Done(value, metrics, tuple(run.curve), run.seconds, data=run.data)


def _leave_weights(network: nn.Module, job: Job, steps: int, keep: Path) -> None:
    """Saves the network's weights, with its outputs for a fixed input, which identify it after loading, and
    the steps, answers and settings it was made by, which a child needs."""
    from cambrian.networks.checkpoint import save_weights
    from cambrian.networks.known_outputs import describe_outputs

    seen = signature(job.task, job.fidelity)  # type: ignore[arg-type]
    outputs = describe_outputs(network, (seen.channels, seen.height, seen.width))
    facts = {"outputs": outputs} if outputs else {}
    facts |= describe_origin(job, steps)
    save_weights(network, keep / WEIGHTS, facts)
