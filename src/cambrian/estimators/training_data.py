"""Which images an evaluation sees: the parts its stage may touch, at its fidelity."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from cambrian.errors import UsageError
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.tasks.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.networks.training.batches import Images

STAGES = ("search", "deliver")
Part = tuple[str, str, float, int]  # train or score, stage, fraction, seed

_held: WeakKeyDictionary[Task, dict[tuple[object, ...], Images]] = WeakKeyDictionary()
"""Tensors of each task, made once per process; what a parent process made, its forks find here."""


def training_images(task: Task, fidelity: Fidelity, stage: str, seed: int, device: str) -> Images:
    """What is trained on: the training part, when a network is to be delivered the validation part
    too, and of that the fidelity's fraction, which is the same for every architecture of a run."""
    _check_stage(stage)
    return _images(task, ("train", stage, fidelity.fraction, seed), fidelity, device)


def scoring_images(task: Task, fidelity: Fidelity, stage: str, device: str) -> Images:
    """What the value is measured on: validation in a search, test (and only then) at delivery."""
    _check_stage(stage)
    return _images(task, ("score", stage, 1.0, 0), fidelity, device)


def subset(
    indices: NDArray[np.int64], targets: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.int64]:
    """A stratified `fraction` of `indices`, sorted: of each class its share, rounded, and at least one
    example. A smaller fraction of the same seed is a subset of a larger one."""
    if fraction >= 1:
        return indices
    kept = []
    for label in np.unique(targets[indices]):
        mine = indices[targets[indices] == label]
        shuffled = stream(seed, "fraction", int(label)).permutation(mine)
        kept.append(shuffled[: max(1, round(fraction * len(mine)))])
    return np.sort(np.concatenate(kept))


def _images(task: Task, part: Part, fidelity: Fidelity, device: str) -> Images:
    held = _held.setdefault(task, {})
    key = (*part, fidelity.resolution, device)
    if key not in held:
        from cambrian.networks.training.batches import images

        which = _indices(task, part)
        held[key] = images(
            task.inputs[which], task.targets[which], task.mean, task.std, device, fidelity.resolution
        )
    return held[key]


def _indices(task: Task, part: Part) -> NDArray[np.int64]:
    use, stage, fraction, seed = part
    if use == "score":
        return task.test if stage == "deliver" else task.validation
    indices = task.train
    if stage == "deliver":
        indices = np.sort(np.concatenate([task.train, task.validation]))
    return subset(indices, task.targets, fraction, seed)


def _check_stage(stage: str) -> None:
    if stage not in STAGES:
        raise UsageError(f"an evaluation's stage is one of {', '.join(STAGES)}, got {stage!r}")
