"""Predictions of the network that a run delivered, on images like those of its task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError, UsageError
from cambrian.goal import Goal, choose_outputs, write_number
from cambrian.tasks.images.units import read_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cambrian.tasks.task import Task

BATCH = 256


@dataclass(frozen=True)
class Predictions:
    """The likeliest class of each image, and the probabilities float32 [n, classes] of all `classes`. Of
    numbers, `numbers` float64 [n] in their own unit, and no probabilities; of several labels, those of a
    probability above one half, with a ; between them; of several heads, the likeliest class of each. Of
    pixels, `masks` int64 [n, height, width] are the likeliest class of each, the labels those that an image
    holds, and the probabilities float32 [n, classes, height, width]. Of a text, they are those of the next
    character."""

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    numbers: NDArray[np.float64] | None = None
    masks: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def predict(network: nn.Module, task: Task, resolution: int | None, images: Any) -> Predictions:
    """Predict `images` by a network of normalised inputs, scaled and normalised as in its training."""
    import torch

    from cambrian.networks.heads import first_head
    from cambrian.networks.training import batches
    from cambrian.tasks.texts import choose_next

    pixels = read_pixels(task, images)
    held = batches.images(pixels, np.zeros(len(pixels), np.int64), task.mean, task.std, resolution=resolution)
    sides = held.side if task.dense else ()
    outputs = np.empty((len(pixels), task.classes, *sides), np.float32)
    with torch.inference_mode():
        # In batches: activations of thousands of images at once would not fit into memory.
        for start in range(0, len(pixels), BATCH):
            logits = first_head(network(held.inputs(held.pixels[start : start + BATCH])))
            read = _read_logits(logits, task.goal).numpy()
            outputs[start : start + BATCH] = (
                choose_next(read, pixels[start : start + BATCH]) if task.causal else read
            )
    return name_predictions(outputs, task.labels, task.goal)


def _read_logits(logits: Tensor, goal: Goal) -> Tensor:
    """Numbers in standard scores, or probabilities."""
    from cambrian.networks.probabilities import read_probabilities

    return logits if goal.kind == "numbers" else read_probabilities(logits, goal)


def name_predictions(outputs: NDArray[np.float32], names: Sequence[str], goal: Goal) -> Predictions:
    """The predictions of probabilities float32 [n, outputs], or of numbers in the goal's standard scores."""
    if goal.kind == "numbers":
        numbers = goal.mean + goal.std * outputs[:, 0].astype(np.float64)
        return Predictions(tuple(map(write_number, numbers)), outputs[:, :0], (), numbers)
    if goal.kind == "pixels":
        masks = outputs.argmax(1)
        held = tuple(";".join(names[i] for i in np.unique(mask)) for mask in masks)
        return Predictions(held, outputs, tuple(names), masks=masks)
    labels = tuple(";".join(names[i] for i in choose_outputs(row, goal)) for row in outputs)
    return Predictions(labels, outputs, tuple(names))


def read_pixels(task: Task, images: Any) -> NDArray[Any]:
    """Images as the task has them, [n, height, width, channels]: from an array, or from image files, which
    are rendered and scaled as in training; of a table's task, rows: from a .csv or a table in memory. Raises
    DataError."""
    if task.columns and np.ndim(images) != 4:
        from cambrian.tasks import read_rows

        return read_rows(images, task.columns, task.rendering)
    paths = _list_paths(images)
    if not paths:
        return _read_array(task, _stack(task, images))
    from cambrian.tasks import list_files, read_images, read_sounds, read_texts

    if "text" in task.rendering:
        return read_texts(paths, task.rendering)[1]
    files = list_files(paths, task.rendering)
    if "sound" in task.rendering:
        return read_sounds(files, task.rendering)
    if task.inputs.dtype != np.uint8:
        raise UsageError(f"{task.name} has float images, which files do not hold: give an array of floats")
    return read_images(files, task.channels, task.height, task.width, task.rendering)


def _list_paths(images: Any) -> Sequence[str | os.PathLike[str]]:
    """The paths, where files or folders are given; else none."""
    if isinstance(images, str | os.PathLike):
        return [images]
    if isinstance(images, list | tuple) and images and all(isinstance(i, str | Path) for i in images):
        return images
    return ()


def _stack(task: Task, images: Any) -> NDArray[Any]:
    """One array of them. Images in a list that have other sizes are scaled to the task's, as files are."""
    from cambrian.tasks.nouns import IMAGES

    try:
        array = np.asarray(images)
    except ValueError as error:  # of several shapes
        if task.noun != IMAGES:
            raise DataError(
                f"{task.noun} have several shapes, but {task.name} has one for all: {error}"
            ) from None
    else:
        size = (task.height, task.width)
        if task.noun != IMAGES or not _are_arrays(images) or size in (array.shape[:2], array.shape[1:3]):
            return array
    from cambrian.tasks.images.arrays import as_images
    from cambrian.tasks.images.decoding import resize_images

    shaped = as_images(list(images), task.name)[0]
    return np.concatenate([resize_images(image[None], task.height, task.width) for image in shaped])


def _are_arrays(images: Any) -> bool:
    """Whether this is a list, or an array of objects, of an array for each image."""
    listed = isinstance(images, list | tuple) or (np.ndim(images) == 1 and images.dtype.kind == "O")
    return listed and all(len(getattr(image, "shape", ())) > 1 for image in images)


def _read_array(task: Task, array: NDArray[Any]) -> NDArray[Any]:
    size = (task.height, task.width, task.channels)
    if array.shape == size or (task.channels == 1 and array.shape == size[:2]):
        array = array[None]  # one image
    if task.channels == 1 and array.shape[1:] == size[:2]:
        array = array[..., None]
    grey = size[:2], (*size[:2], 1)
    if task.channels == 3 and (array.shape in grey or array.shape[1:] in grey):  # as files may be
        array = np.repeat(array.reshape(-1, *size[:2], 1), 3, axis=3)
    if array.ndim != 4 or array.shape[1:] != size:
        raise DataError(
            f"{task.name} has {task.noun} [n, height, width, channels] of size {list(size)}, got an array of"
            f" shape {list(array.shape)}"
        )
    return read_unit(array, str(task.inputs.dtype), f"{task.name} has {task.noun}")
