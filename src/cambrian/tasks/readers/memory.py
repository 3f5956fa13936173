"""What a Python program already holds: arrays, tensors, map-style torch `Dataset`s. torch itself is never
imported: a data set is whatever has a length and items `(image, label)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.arrays import from_arrays
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION, Examples
from cambrian.tasks.phrases import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYOUTS = {2: (TRAIN, TEST), 3: (TRAIN, VALIDATION, TEST)}


@dataclass(frozen=True, eq=False)
class Memory:
    """`source` is a data set; or `(inputs, labels)` arrays; or a pair (train, test) or triple (train,
    validation, test) of either. It has no name it could be loaded by again: a run directory keeps its
    own copy, which worker processes open, and `resume` too."""

    source: Any

    def examples(self) -> Examples:
        source = self.source
        if _is_arrays(source) or not isinstance(source, tuple):
            parts = {TRAIN: source}
        elif len(source) in LAYOUTS:
            parts = dict(zip(LAYOUTS[len(source)], source, strict=True))
        else:
            raise DataError(
                f"a tuple of {len(source)} is no data set: give (train, test), or (inputs, labels)"
            )
        name = type(source).__name__ if parts[TRAIN] is source and not isinstance(source, tuple) else "data"
        names = getattr(parts[TRAIN], "classes", None)
        names = list(names) if isinstance(names, list | tuple) else None
        return from_arrays(name, {part: _arrays(held) for part, held in parts.items()}, names)


def _is_arrays(source: Any) -> bool:
    return isinstance(source, tuple) and len(source) == 2 and all(map(_is_array, source))


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") or (isinstance(value, list) and not _is_item(value[:1]))


def _is_item(first: list[Any]) -> bool:
    """Whether a list that begins so is a data set: a list of (image, label)."""
    return bool(first) and isinstance(first[0], tuple) and len(first[0]) == 2


def _arrays(source: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    if _is_arrays(source):
        return _array(source[0]), _array(source[1])
    if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        raise DataError(
            f"cannot use {type(source).__name__!r} as a data set: give a path, a name, (inputs, labels) "
            "arrays, or a map-style data set with a length and items (image, label)"
        )
    images, labels = [], []
    for i in range(len(source)):
        image, label = _item(source, i)
        images.append(image)
        labels.append(label)
        if image.shape != images[0].shape:
            raise DataError(
                f"item {i} of {type(source).__name__} has shape {list(image.shape)}, the first "
                f"{list(images[0].shape)}: bring the images to one shape in the data set's transform"
            )
    if not images:
        raise DataError(f"{type(source).__name__} is empty: expected items (image, label)")
    return np.stack(images), np.asarray(labels)


def _item(source: Any, i: int) -> tuple[NDArray[Any], Any]:
    try:
        image, label = source[i]
    except Exception as error:  # user code: whatever it raises, the user must learn which item it was
        raise DataError(
            f"item {i} of {type(source).__name__} cannot be had as (image, label): "
            f"{type(error).__name__}: {reason(error)}"
        ) from error
    array = _array(image)
    if hasattr(image, "detach") and array.ndim == 3:
        array = array.transpose(1, 2, 0)  # tensors are [channels, height, width]
    return array, label.item() if hasattr(label, "item") else label


def _array(value: Any) -> NDArray[Any]:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if hasattr(value, "mode") and hasattr(value, "convert"):  # a Pillow image
        from cambrian.tasks.images import GREY, converted

        return converted(value, value.mode in GREY)
    return np.asarray(value)
