"""The beginning of a training: a network on its device, with the images that it learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.estimators.build import signature
from cambrian.estimators.job import Job
from cambrian.estimators.training_data import training_images
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Fidelity

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.step import Step
    from cambrian.networks.training.trainer import Training
    from cambrian.spaces.space import Signature
    from cambrian.tasks.task import Task


def augment_for(recipe: Recipe, task: Signature, fidelity: Fidelity) -> Augment:
    """The augmentation of a task's images in training, with automatic settings resolved."""
    from cambrian.networks.training.augment import Augment, automatic

    seen = signature(task, fidelity)
    if seen.causal:  # targets would have to be moved with their texts
        return Augment()
    # Of sounds the rows are pitches, which a shift or a mirror would change.
    sound = "sound" in getattr(task, "rendering", {})
    # In images that a fidelity makes small a hole of as many pixels would leave nothing.
    hole = (
        recipe.cutout
        if fidelity.resolution is None
        else min(recipe.cutout, min(seen.height, seen.width) // 2)
    )
    settings = (recipe.crop, recipe.flip, hole)
    usual = automatic(seen.height, seen.width, seen.channels, *settings, upright=sound)
    if recipe.augment_strength == 1:
        return usual
    return usual.strengthen(recipe.augment_strength, min(seen.height, seen.width))


def start_training(
    network: nn.Module, recipe: Recipe, job: Job, task: Task, method: Step | None = None
) -> Training:
    """The training of `network` on the job's device, at its fidelity, seeded by the job's identity."""
    from cambrian.networks.pointwise import memory_format
    from cambrian.networks.training.trainer import Training

    return Training(
        network.to(job.device, memory_format=memory_format(network)),  # type: ignore[call-overload]
        training_images(task, job.fidelity, job.stage, job.seed, job.device),
        recipe,
        augment_for(recipe, task, job.fidelity),
        recipe.count_epochs(job.fidelity.epochs),
        job.seed,
        job.identity,
        method,
    )
