"""The scores of a network on the part of the data that a job may see, by the goal of its task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.estimators.training_data import scoring_images
from cambrian.goal import IGNORED, Goal
from cambrian.tasks.metrics import METRICS, accuracy, list_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cambrian.estimators.job import Job
    from cambrian.networks.sharing.memo import Memo
    from cambrian.networks.training.batches import Images
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.scoring import Read
    from cambrian.tasks.task import Task

FEW = 2**20
"""Numbers in the pixels of images that children are scored on in one batch, where calls take their time."""


def score_network(
    network: nn.Module, recipe: Recipe, task: Task, job: Job, memo: Memo | None = None
) -> dict[str, float]:
    """The metrics on the part that the job's stage may see; `value` is the task's own metric. `memo` keeps
    the inputs for other networks."""
    from cambrian.networks.training.losses import make_loss
    from cambrian.networks.training.precision import scoring_precision
    from cambrian.networks.training.scoring import scores

    images = scoring_images(task, job.fidelity, job.stage, job.device)
    # Nothing is kept for gradients, so that a larger batch fits and takes less time.
    batch = 4 * recipe.batch_size if memo is None else count_at_once(recipe, images)
    read = images.read if memo is None else partial(memo.recall, images.read)
    precision = scoring_precision(recipe.precision)
    if task.goal.kind == "classes":
        metrics = scores(network, images, batch, read, precision)
    else:
        metrics = score_goal(network, images, batch, make_loss(recipe, task.goal), read, precision)
    return metrics | {"value": metrics[task.metric.replace("-", "_")]}


def count_at_once(recipe: Recipe, images: Images) -> int:
    """The images on which a child is scored in one batch."""
    return len(images) if images.pixels.numel() <= FEW else 4 * recipe.batch_size


def score_goal(
    network: nn.Module,
    images: Images,
    batch_size: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    read: Read | None = None,
    precision: str = "auto",
) -> dict[str, float]:
    """All metrics of the images' goal, in the targets' own unit, and the mean `loss`, of numbers in standard
    deviations."""
    from cambrian.networks.probabilities import read_probabilities
    from cambrian.networks.training.scoring import compute_outputs

    outputs = compute_outputs(network, images, batch_size, read, precision)
    mean = float(loss(outputs, images.targets))
    if not np.isfinite(mean):
        return {"loss": mean} | dict.fromkeys(map(_key, list_metrics(images.goal.kind)), float("nan"))
    targets, goal = images.targets.cpu().numpy(), images.goal
    if goal.kind == "numbers":  # in their own unit, from standard scores
        scores = [targets, outputs[:, 0].cpu().numpy()]
        targets, predictions = (goal.mean + goal.std * score.astype(np.float64) for score in scores)
    else:
        predictions = read_probabilities(outputs, goal).cpu().numpy()
    return {"loss": mean, **measure_all(targets, predictions, goal)}


def measure_all(targets: NDArray[Any], predictions: NDArray[Any], goal: Goal) -> dict[str, float]:
    """All metrics of the goal by their names, and of several heads the accuracy of each. `predictions` are
    numbers, or probabilities."""
    if goal.kind == "heads":
        predictions = np.stack([predictions[:, part].argmax(1) for _, part in goal.parts], 1)
    if goal.kind == "pixels":
        predictions = predictions.argmax(1)
    if goal.kind == "characters":  # one row for each that is judged
        known = targets != IGNORED
        targets, predictions = targets[known], np.moveaxis(predictions, 1, -1)[known]
    metrics = {_key(name): METRICS[name](targets, predictions) for name in list_metrics(goal.kind)}
    heads = enumerate(name for name, _ in goal.parts)
    each = {f"accuracy of {name}": accuracy(targets[:, n], predictions[:, n]) for n, name in heads}
    return metrics | each


def _key(metric: str) -> str:
    return metric.replace("-", "_")
