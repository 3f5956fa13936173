"""The scores of a network on the part of the data that a job may see, by the goal of its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.estimators.training_data import scoring_images
from cambrian.goal import IGNORED, Goal
from cambrian.networks.training.recipe import Recipe
from cambrian.tasks.targets.class_metrics import accuracy
from cambrian.tasks.targets.metrics import METRICS, choose, list_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cambrian.estimators.job import Job
    from cambrian.networks.sharing.memo import Memo
    from cambrian.networks.training.batches import Images
    from cambrian.networks.training.scoring import Read
    from cambrian.tasks.task import Task

COUNTED = ("accuracy", "balanced-accuracy")
"""The metrics of classes that are counted batch by batch, without the outputs of all images."""
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
    # As the network is used afterwards, where an answer is the number itself: bfloat16 keeps 8 bits of it.
    precision = "float32" if task.goal.kind == "numbers" else scoring_precision(recipe.precision)
    if task.goal.kind == "classes" and task.metric in COUNTED:
        metrics = scores(network, images, batch, read, precision)
    else:
        # The usual loss of the goal whatever it is learned by, smoothed or not: networks of several recipes
        # are compared by it.
        loss = make_loss(Recipe(), task.goal)
        metrics = score_goal(network, images, batch, loss, read, precision, list_measured(task))
    return metrics | {"value": metrics[_key(task.metric)]}


def list_measured(task: Task) -> list[str]:
    """The names of the metrics that a score has: all of the goal, but of the probabilities of classes the
    task's own alone, since to sort those of thousands of classes takes longer than to score a network."""
    names = list_metrics(task.goal.kind)
    if task.goal.kind != "classes":
        return names
    return [name for name in names if name == task.metric or not METRICS[name].probabilities]


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
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """The metrics with these `names` (None: all of the images' goal), in the targets' own unit, and the mean
    `loss`, of numbers in standard deviations."""
    from cambrian.networks.probabilities import read_probabilities
    from cambrian.networks.training.scoring import compute_outputs

    outputs, goal = compute_outputs(network, images, batch_size, read, precision), images.goal
    names = list_metrics(goal.kind) if names is None else names
    mean = float(loss(outputs, images.targets))
    if not np.isfinite(mean):
        return {"loss": mean} | dict.fromkeys(map(_key, names), float("nan"))
    targets = images.targets.cpu().numpy()
    if goal.kind == "numbers":  # in their own unit, from standard scores
        scores = [targets, outputs[:, 0].cpu().numpy()]
        targets, predictions = (goal.mean + goal.std * score.astype(np.float64) for score in scores)
    else:
        predictions = read_probabilities(outputs, goal).cpu().numpy()
    return {"loss": mean, **measure_all(targets, predictions, goal, names)}


def measure_all(
    targets: NDArray[Any], outputs: NDArray[Any], goal: Goal, names: Sequence[str] | None = None
) -> dict[str, float]:
    """The metrics with these `names` (None: all of the goal), and of several heads the accuracy of each.
    `outputs` are numbers, or probabilities."""
    if goal.kind == "characters":  # one row for each that is judged
        known = targets != IGNORED
        targets, outputs = targets[known], np.moveaxis(outputs, 1, -1)[known]
    names = list_metrics(goal.kind) if names is None else names
    chosen = choose(outputs, goal)
    metrics = {
        _key(name): METRICS[name](targets, outputs if METRICS[name].probabilities else chosen)
        for name in names
    }
    heads = enumerate(name for name, _ in goal.parts)
    each = {f"accuracy of {name}": accuracy(targets[:, n], chosen[:, n]) for n, name in heads}
    return metrics | each


def _key(metric: str) -> str:
    return metric.replace("-", "_")
