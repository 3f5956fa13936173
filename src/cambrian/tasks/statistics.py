"""Statistics of a task's pixels, computed once: mean and deviation, a digest, leaks between splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.goal import CLASSES
from cambrian.tasks.nouns import IMAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.tasks.task import Task

CHUNK = 4096  # images at a time, so that no second copy of the data is made
CROWDED = 0.75  # the share of a class from which a constant answer has an accuracy that looks learned


def mean_std(inputs: NDArray[Any], indices: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of `inputs` [n, h, w, c] at `indices`: uint8 divided by
    255, float32 as it is. A constant channel has deviation 1, so that dividing by it is harmless."""
    if inputs.dtype == np.uint8:
        mean, std = _of_counts(inputs, indices)
    else:
        mean, std = _of_floats(inputs, indices)
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def _of_counts(inputs: NDArray[Any], indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Exact, from how often each of the 256 values occurs."""
    counts = np.zeros((inputs.shape[3], 256), np.int64)
    for block in _blocks(inputs, indices):
        for channel in range(inputs.shape[3]):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    weights = counts / counts.sum(1, keepdims=True)  # [c, 256]
    values = np.arange(256) / 255
    mean = weights @ values
    return mean, np.sqrt((weights * (values - mean[:, None]) ** 2).sum(1))


def _of_floats(inputs: NDArray[Any], indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two passes, which lose no digits where the mean is large beside the deviation."""
    pixels = len(indices) * inputs.shape[1] * inputs.shape[2]
    mean = sum(block.sum((0, 1, 2), dtype=np.float64) for block in _blocks(inputs, indices)) / pixels
    squares = sum(((block - mean) ** 2).sum((0, 1, 2)) for block in _blocks(inputs, indices))
    return np.asarray(mean), np.sqrt(squares / pixels)


def _blocks(inputs: NDArray[Any], indices: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(indices), CHUNK):
        yield inputs[indices[start : start + CHUNK]]


def digest(task: Task) -> str:
    """A SHA-256 that changes whenever the images, targets, labels, splits or metric do."""
    # The shape and the lengths go in as well, so that no two tasks are the same row of bytes.
    checksum = hashlib.sha256(
        repr((task.inputs.dtype.str, task.inputs.shape, task.labels, task.metric)).encode()
    )
    if task.goal != CLASSES:  # tasks of classes keep the digest that they had before there were other goals
        checksum.update(repr(task.goal).encode())
    for array in (task.targets, task.train, task.validation, task.test):
        checksum.update(repr(len(array)).encode() + np.ascontiguousarray(array).data)
    for start in range(0, len(task.inputs), CHUNK):
        checksum.update(np.ascontiguousarray(task.inputs[start : start + CHUNK]).data)
    return checksum.hexdigest()


def leaks(task: Task) -> tuple[str, ...]:
    """Sentences about images of the test and validation splits that are also trained on, pixel by pixel."""
    # A digest of 16 bytes for each image: a copy of the images would take as much as the data.
    trained = {_fingerprint(task.inputs[i]) for i in task.train}
    sentences = []
    for part, indices in (("test", task.test), ("validation", task.validation)):
        count = sum(_fingerprint(task.inputs[i]) in trained for i in indices)
        if count:
            sentences.append(
                f"{task.name}: {count} of {len(indices)} {part} {task.noun} are also among the training"
                f" {task.noun}, which flatters the {part} score: remove the duplicates if that matters"
            )
    return tuple(sentences)


def find_crowded(task: Task) -> tuple[str, ...]:
    """A sentence about a class that holds most of the data, where a network's score is its accuracy."""
    if task.goal.kind != "classes" or task.metric != "accuracy":
        return ()
    counts = np.bincount(task.targets, minlength=1)
    label, share = task.labels[int(counts.argmax())], counts.max() / len(task.targets)
    if share < CROWDED:
        return ()
    return (
        f"{task.name}: {counts.max():,} of {len(task.targets):,} {task.noun} are of the class {label!r:.60},"
        f" so that a network that always answers this has accuracy {share:.1%}: metric=balanced-accuracy"
        " (--metric) counts every class alike",
    )


def refuse_alike(name: str, inputs: NDArray[Any], noun: str = IMAGES) -> tuple[str, ...]:
    """A sentence about images that hold a single colour each. Raises DataError where nothing can be learned:
    all images hold one and the same value, or all are the same image."""
    rows = np.arange(len(inputs))
    if len(inputs) > 1 and all((block == inputs[0]).all() for block in _blocks(inputs, rows)):
        plain = (inputs[0] == inputs[0].flat[0]).all()
        likeness = "hold the same value everywhere" if plain else "are the same"
        raise DataError(
            f"{name}: all {len(inputs)} {noun} {likeness}, so that there is nothing to learn: look at the"
            " files, and whether the drawing is in a part of them that is not read"
        )
    flat = sum(bool((image == image[0, 0]).all()) for image in inputs)
    if not flat or inputs.shape[1:3] == (1, 1):  # one pixel is a single colour always
        return ()
    alike = "a single colour" if noun == IMAGES else "the same everywhere"
    return (f"{name}: {flat} of {len(inputs)} {noun} hold {alike}: remove them if they are damaged",)


def _fingerprint(image: NDArray[Any]) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
