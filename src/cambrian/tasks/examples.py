"""What a reader hands over: labelled images, not decoded yet.

Labels are cheap to know and pixels are dear, so that a data set is checked, split and cut down to its
limit before the first image is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from cambrian.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "t10k": TEST,
}
"""The names by which data sets call their parts. What has no given part is TRAIN, to be carved from."""

Decode = Callable[["NDArray[np.int64]", int | None], "tuple[NDArray[Any], tuple[str, ...]]"]
"""`decode(indices, size)`: the images at `indices` as uint8 or float32 [n, height, width, channels],
each resized to size x size unless `size` is None, and sentences the user should read."""


@dataclass(frozen=True, eq=False)
class Examples:
    """`targets` int64[n] below `len(labels)`; `parts` int8[n] of TRAIN, VALIDATION and TEST, as the data
    set gives them."""

    name: str
    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    parts: NDArray[np.int8]
    decode: Decode


@runtime_checkable
class Reader(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    def examples(self) -> Examples:
        """Raises DataError, one sentence that names the file and the remedy."""
        ...


def labelled(
    values: Sequence[Any] | NDArray[Any], where: str, names: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Targets int64[n] and labels from labels as found: strings in any number, or integers that count
    from 0 (or from 1) without a gap. `names` are those of the integers 0, 1, ...

    >>> labelled(["cat", "ant", "cat"], "here")
    (array([1, 0, 1]), ('ant', 'cat'))
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = "; if they are one-hot, give targets.argmax(1)" if array.ndim == 2 else ""
        raise DataError(
            f"{where}: expected one label per image, got labels of shape {list(array.shape)}{hint}"
        )
    if array.dtype.kind in "US":
        found, targets = np.unique(array.astype(str), return_inverse=True)
        return targets.astype(np.int64), tuple(map(str, found))
    return _counted(_integers(array, where), where, names)


def _integers(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: expected labels that are integers or strings, got {array.dtype}")
    if array.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)))
        if len(wrong):
            raise DataError(
                f"{where}: label {array[wrong[0]]} of image {wrong[0]} is not an integer: "
                "number the classes 0, 1, 2, ..."
            )
    negative = np.flatnonzero(array < 0)
    if len(negative):
        raise DataError(
            f"{where}: label {int(array[negative[0]])} of image {negative[0]} is negative: "
            "number the classes 0, 1, 2, ... and leave out images without a class"
        )
    return array.astype(np.int64)


def _counted(
    array: NDArray[np.int64], where: str, names: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if not len(array):
        raise DataError(f"{where}: there are no labels, so there is nothing to learn from")
    if names is not None:
        _within(array, len(names), where)
        return array, tuple(map(str, names))
    # Without a gap no label exceeds the number of images, so that counting takes no more memory than they do.
    values = np.flatnonzero(np.bincount(np.minimum(array, len(array) + 1)))
    start = int(values[0] == 1)  # EMNIST and MATLAB count from one
    gaps = np.flatnonzero(values != np.arange(start, start + len(values)))
    if len(gaps):
        missing = start + int(gaps[0])
        at = int(np.flatnonzero(array > missing)[0])
        raise DataError(
            f"{where}: label {int(array[at])} of image {at} is out of range, since no image has label "
            f"{missing}: number the classes 0, 1, 2, ... without a gap, or label them by strings"
        )
    return array - start, tuple(map(str, values.tolist()))


def _within(array: NDArray[np.int64], classes: int, where: str) -> None:
    beyond = np.flatnonzero(array >= classes)
    if len(beyond):
        raise DataError(
            f"{where}: label {int(array[beyond[0]])} of image {beyond[0]} is out of range for the "
            f"{classes} named classes: expected 0 to {classes - 1}"
        )
