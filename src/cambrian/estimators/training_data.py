"""The images of an evaluation: the parts that its stage may touch, at its fidelity."""

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
"""The tensors of each task, made once per process; forked processes inherit them."""


def training_images(task: Task, fidelity: Fidelity, stage: str, seed: int, device: str) -> Images:
    """The images for training: the training part, at delivery with the validation part, and of these the
    fidelity's fraction, which is the same for every architecture of a run."""
    _check_stage(stage)
    return _images(task, ("train", stage, fidelity.fraction, seed), fidelity, device)


def scoring_images(task: Task, fidelity: Fidelity, stage: str, device: str) -> Images:
    """The images for scoring: the validation part in a search, the test part at delivery and only then."""
    _check_stage(stage)
    return _images(task, ("score", stage, 1.0, 0), fidelity, device)


def subset(
    indices: NDArray[np.int64], targets: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.int64]:
    """A stratified `fraction` of `indices`, sorted: of each class its share, rounded, and at least one
    example, or two of a single class: a batch of one has no variance for batch normalisation. With the same
    seed, a smaller fraction is a subset of a larger one."""
    if fraction >= 1:
        return indices
    kept, labels = [], np.unique(targets[indices])
    least = 1 if len(labels) > 1 else 2
    for label in labels:
        members = indices[targets[indices] == label]
        # A permutation per class, cut at different lengths: so fractions are nested.
        shuffled = stream(seed, "fraction", int(label)).permutation(members)
        kept.append(shuffled[: max(least, round(fraction * len(members)))])
    return np.sort(np.concatenate(kept))


def _images(task: Task, part: Part, fidelity: Fidelity, device: str) -> Images:
    # Weak keys: the tensors of a task go with it, and by identity, since a task's arrays are not compared.
    held = _held.setdefault(task, {})
    key = (*part, fidelity.resolution, device)
    if key not in held:
        from cambrian.networks.training.batches import images

        which = _indices(task, part)
        held[key] = images(
            task.inputs[which],
            task.targets[which],
            task.mean,
            task.std,
            device,
            fidelity.resolution,
            task.goal,
        )
    return held[key]


def _indices(task: Task, part: Part) -> NDArray[np.int64]:
    use, stage, fraction, seed = part
    if use == "score":
        return task.test if stage == "deliver" else task.validation
    indices = task.train
    if stage == "deliver":
        indices = np.sort(np.concatenate([task.train, task.validation]))
    return subset(indices, task.strata, fraction, seed)


def _check_stage(stage: str) -> None:
    if stage not in STAGES:
        raise UsageError(f"an evaluation's stage is one of {', '.join(STAGES)}, got {stage!r}")
