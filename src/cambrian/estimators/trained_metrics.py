"""The objectives of a search that are measured on trained networks, such as accuracy under corruptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.estimators.training_data import scoring_images, training_images
from cambrian.networks.trained.metric import find_trained_metric, is_trained_metric
from cambrian.networks.trained.parts import Parts

if TYPE_CHECKING:
    from torch import nn

    from cambrian.estimators.job import Job
    from cambrian.tasks.task import Task


def measure_trained(network: nn.Module, job: Job, task: Task, batch: int) -> dict[str, float]:
    """The metrics of the trained network by name, of those that are objectives: in a search on the validation
    part, at delivery on the test part."""
    # The first objective is the estimator's own value, whatever its name.
    names = [o.name for o in job.problem.objectives[1:] if is_trained_metric(o.name)]
    if not names:
        return {}
    parts = Parts(
        scoring_images(task, job.fidelity, job.stage, job.device),
        training_images(task, job.fidelity, job.stage, job.seed, job.device),
        job.seed,
        batch,
    )
    return {name: find_trained_metric(name)(network, parts) for name in names}
