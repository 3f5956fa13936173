"""Images that already are arrays: brought to uint8 or float32 [n, height, width, channels] and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import Decode, Examples, labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def from_arrays(
    name: str, parts: Mapping[int, tuple[Any, Any]], names: Sequence[str] | None = None, where: str = ""
) -> Examples:
    """Examples from `{TRAIN: (inputs, labels), TEST: (inputs, labels)}`. `where` opens error messages."""
    where = where or name
    images, values, marks = [], [], []
    for part, (inputs, labels) in parts.items():
        images.append(as_images(inputs, where))
        values.append(np.asarray(labels).reshape(len(labels), -1))
        if len(images[-1]) != len(values[-1]):
            raise DataError(
                f"{where}: {len(images[-1])} images but {len(values[-1])} labels: give one label per image"
            )
        marks.append(np.full(len(labels), part, np.int8))
    _alike(images, where)
    inputs = images[0] if len(images) == 1 else np.concatenate(images)
    targets, found = labelled(np.concatenate(values), where, names)
    return Examples(name, targets, found, np.concatenate(marks), decode_array(inputs))


def decode_array(inputs: NDArray[Any]) -> Decode:
    def decode(indices: NDArray[np.int64], size: int | None) -> tuple[NDArray[Any], tuple[str, ...]]:
        whole = len(indices) == len(inputs)  # sorted and distinct, hence all of them
        chosen = inputs if whole else inputs[indices]
        if size is not None and chosen.shape[1:3] != (size, size):
            from cambrian.tasks.images import resized

            chosen = resized(chosen, size, size)
        return chosen, ()

    return decode


def as_images(inputs: Any, where: str) -> NDArray[Any]:
    """uint8 or float32 [n, height, width, channels] from [n, h, w], [n, h, w, c], [n, c, h, w] with at
    most four channels, or [n, h * h]. Other integers must lie in 0 to 255; floats must be finite."""
    array = np.asarray(inputs)
    if array.dtype.kind not in "uifb":
        raise DataError(f"{where}: expected images of integers or floats, got an array of {array.dtype}")
    if len(array.shape) < 2 or not array.size:
        raise DataError(
            f"{where}: expected images [n, height, width, channels], got an array {list(array.shape)}"
        )
    return _pixels(_shaped(array, where), where)


def _shaped(array: NDArray[Any], where: str) -> NDArray[Any]:
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        if side * side != array.shape[1]:
            raise DataError(
                f"{where}: {array.shape[1]} values per image do not make a square: give images "
                "[n, height, width, channels]"
            )
        return array.reshape(-1, side, side, 1)
    if array.ndim == 3:
        return array[..., None]
    if array.ndim != 4:
        raise DataError(
            f"{where}: expected images [n, height, width, channels], got an array {list(array.shape)}"
        )
    channels_first = array.shape[1] <= 4 < array.shape[3]
    return array.transpose(0, 2, 3, 1) if channels_first else array


def _pixels(array: NDArray[Any], where: str) -> NDArray[Any]:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        return _finite(array, where)
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 255:
        raise DataError(
            f"{where}: integer pixels must lie in 0 to 255, got {low} to {high}: give uint8, or floats"
        )
    return array.astype(np.uint8)


def _finite(array: NDArray[Any], where: str) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(single.sum(dtype=np.float64)):
        wrong = np.argwhere(~np.isfinite(single))[0].tolist()
        raise DataError(
            f"{where}: image {wrong[0]} holds {array[tuple(wrong)]} at row {wrong[1]}, column {wrong[2]}: "
            "replace or remove what is not a finite number"
        )
    return single


def _alike(images: list[NDArray[Any]], where: str) -> None:
    first = images[0]
    for other in images[1:]:
        if other.shape[1:] != first.shape[1:] or other.dtype != first.dtype:
            raise DataError(
                f"{where}: the parts differ: images {list(first.shape[1:])} of {first.dtype} and "
                f"{list(other.shape[1:])} of {other.dtype}: bring them to one shape and type"
            )
