"""Images that already are arrays: brought to uint8 or float32 [n, height, width, channels] and checked.

Images of one size are one array. Images of several sizes are a list, which is scaled to one size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION, Decode, Decoded, Examples
from cambrian.tasks.images.common_size import choose_side
from cambrian.tasks.images.layouts import UNKNOWN, Form, channels_last, is_first
from cambrian.tasks.phrases import reason
from cambrian.tasks.targets.reading import read_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[Any] | list[NDArray[Any]]

PART_NAMES = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}


def from_arrays(
    name: str,
    parts: Mapping[int, tuple[Any, Any]],
    names: Sequence[str] | None = None,
    where: str = "",
    form: Form = UNKNOWN,
    notes: tuple[str, ...] = (),
) -> Examples:
    """Examples from `{TRAIN: (inputs, labels), TEST: (inputs, labels)}`. `where` opens error messages, `form`
    describes the arrays as far as that is known, and the user reads `notes`."""
    where = where or name
    stacks: list[Images] = []
    labels, marks, places = [], [], []
    for part, (inputs, part_labels) in parts.items():
        images, remarks = as_images(inputs, where, form)
        _check_counts(images, part_labels, where)
        stacks.append(images)
        labels += list(part_labels)
        marks.append(np.full(len(images), part, np.int8))
        places += [(part, i) for i in range(len(images))]
        notes += remarks
    # An array of labels is read as it is, not label by label, and so keeps its type and its columns.
    whole = parts[TRAIN][1] if len(parts) == 1 and hasattr(parts[TRAIN][1], "shape") else labels
    goal = form.goal
    if goal is None and _are_masks(stacks, parts):
        goal, whole = "pixels", np.concatenate([np.asarray(masks) for _, masks in parts.values()])
        notes += (f"{where}: the labels have the shape of the images: each pixel has a class (pixels)",)
    targets = read_targets(whole, where, goal, names=names, column=form.column)

    def place(i: int) -> str:
        of_part = f" of the {PART_NAMES[places[i][0]]} part" if len(parts) > 1 else ""
        return f"{where}: image {places[i][1]}{of_part}"

    decode = decode_images(_join(stacks, where), where, place, targets.goal.kind == "pixels")
    decode = with_notes(decode, (*notes, *targets.notes))
    return Examples(name, targets.values, targets.labels, np.concatenate(marks), decode, targets.goal)


def _are_masks(stacks: Sequence[Images], parts: Mapping[int, tuple[Any, Any]]) -> bool:
    """Whether the labels are images of the size of the images."""
    labelled = zip(stacks, (labels for _, labels in parts.values()), strict=True)
    return all(
        not isinstance(stack, list) and _measure_shape(labels) == stack.shape[:3]
        for stack, labels in labelled
    )


def _measure_shape(labels: Any) -> tuple[int, ...] | None:
    """The shape of an array, or of nested lists; None for lists of unequal lengths."""
    try:
        return tuple(np.shape(labels))
    except ValueError:
        return None


def with_notes(decode: Decode, notes: Sequence[str]) -> Decode:
    """Make a `decode` that gives `notes` too."""

    def decode_with_notes(indices: NDArray[np.int64], size: int | None) -> Decoded:
        decoded = Decoded(*decode(indices, size))
        return decoded._replace(notes=tuple(dict.fromkeys((*notes, *decoded.notes))))  # each once, in order

    return decode_with_notes


def decode_images(images: Images, where: str, place: Callable[[int], str], masked: bool = False) -> Decode:
    """Choose and resize `images`; image i is called `place(i)`. No size is chosen for images that are
    `masked` by masks of one size."""

    def decode(indices: NDArray[np.int64], size: int | None) -> tuple[NDArray[Any], tuple[str, ...]]:
        if isinstance(images, list):
            chosen = [images[i] for i in indices]
            shapes = [(image.shape[0], image.shape[1]) for image in chosen]
            side, notes = choose_side(where, shapes, lambda row: place(int(indices[row])), size, masked)
            return np.concatenate([_resize(image[None], side) for image in chosen]), notes
        whole = len(indices) == len(images)  # sorted and distinct, hence all of them
        return _resize(images if whole else images[indices], size), ()

    return decode


def as_images(inputs: Any, where: str, form: Form = UNKNOWN) -> tuple[Images, tuple[str, ...]]:
    """uint8 or float32 images [n, height, width, channels] from numbers in any layout, and a sentence for
    each guess; a list of [height, width, channels] where they are of several sizes. Integers must lie in 0
    to 255; floats must be finite."""
    array = _array_of(inputs, where)
    if isinstance(array, list):
        return _of_several_sizes(array, where, form)
    if array.dtype.kind not in "uifb":
        raise DataError(_no_numbers(where, array))
    if len(array.shape) < 2 or not array.size:
        raise DataError(
            f"{where}: expected images [n, height, width, channels], got an array {list(array.shape)}"
        )
    shaped, notes = channels_last(array, form, where)
    return _pixels(shaped, where), notes


def _array_of(inputs: Any, where: str) -> NDArray[Any] | list[NDArray[Any]]:
    """One array, or a list of arrays of several shapes."""
    if not isinstance(inputs, list | tuple) and getattr(inputs, "dtype", None) != np.dtype(object):
        return np.asarray(inputs)
    # Objects along one axis are images; objects along several are the numbers of images.
    if isinstance(inputs, np.ndarray) and inputs.ndim > 1:
        return _numbers(inputs, where)
    images = [_array_of_one(image, where, i) for i, image in enumerate(inputs)]
    # Stacked, all would become floats, and a white of 255 would stand beside a white of 1. Lists of Python
    # numbers do not have a type: there 0 may be of the same scale as 0.5.
    if len({image.dtype.kind == "f" for image in images}) > 1 and all(hasattr(x, "dtype") for x in inputs):
        raise DataError(f"{where}: some images are of integers and some of floats: bring them to one type")
    return images if len({image.shape for image in images}) > 1 else np.stack(images or [np.empty(0)])


def _array_of_one(image: Any, where: str, i: int) -> NDArray[Any]:
    try:
        array = np.asarray(image)
    except Exception as error:  # rows of unequal length, or whatever an object raises
        raise DataError(f"{where}: image {i} is not an array of numbers: {reason(error)}") from error
    if array.dtype.kind not in "uifbO":
        raise DataError(_no_numbers(where, array))
    return _numbers(array, where)


def _no_numbers(where: str, array: NDArray[Any]) -> str:
    return (
        f"{where}: expected images of integers or floats, got an array of {array.dtype}: if these are paths "
        "of image files, write them and the labels to a CSV"
    )


def _numbers(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Objects that are numbers, as numbers."""
    if array.dtype != object:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{where}: expected images of integers or floats, got Python objects such as "
            f"{type(array.flat[0]).__name__!r}: make every image an array of numbers"
        ) from error


def _of_several_sizes(images: list[NDArray[Any]], where: str, form: Form) -> tuple[Images, tuple[str, ...]]:
    for i, image in enumerate(images):
        if image.ndim not in (2, 3) or not image.size or image.dtype.kind not in "uifb":
            raise DataError(
                f"{where}: image {i} is an array {list(image.shape)} of {image.dtype}, expected numbers "
                "[height, width] or [height, width, channels]"
            )
    first = _channels_are_first([image.shape for image in images if image.ndim == 3], form)
    alike = [_pixels(_with_channels(image, first)[None], where)[0] for image in images]
    alike, notes = _with_equal_channels(alike, where)
    if len({image.dtype for image in alike}) > 1:
        raise DataError(f"{where}: some images are of integers and some of floats: bring them to one type")
    # Of one size after all, where only the channels were written differently.
    return (np.stack(alike) if len({image.shape for image in alike}) == 1 else alike), notes


def _channels_are_first(shapes: list[tuple[int, ...]], form: Form) -> bool:
    """Whether the channels come first: they are the end that has one length in all images, if only one has
    and it is the smaller."""
    if form.layout is not None:
        return form.layout == "channels-first"
    firsts, lasts = ({shape[end] for shape in shapes} for end in (0, -1))
    if len(firsts) == 1 and len(lasts) > 1 and max(firsts) <= min(lasts):
        return True
    if len(lasts) == 1 and len(firsts) > 1 and max(lasts) <= min(firsts):
        return False
    # Both ends vary, or neither: judged as one image would be.
    return bool(shapes) and is_first(shapes[0], form.tensors)


def _with_channels(image: NDArray[Any], first: bool) -> NDArray[Any]:
    if image.ndim == 2:
        return image[..., None]
    return image.transpose(1, 2, 0) if first else image


def _with_equal_channels(
    images: list[NDArray[Any]], where: str
) -> tuple[list[NDArray[Any]], tuple[str, ...]]:
    """Turn grey images among colour images into RGB."""
    counts = Counter(image.shape[2] for image in images)
    if len(counts) == 1:
        return images, ()
    # Only grey has one reading as RGB; two or four channels beside three are a mistake.
    if counts.keys() != {1, 3}:
        usual = counts.most_common(1)[0][0]
        wrong = next(i for i, image in enumerate(images) if image.shape[2] != usual)
        raise DataError(
            f"{where}: image {wrong} has {images[wrong].shape[2]} channels where others have {usual}: bring "
            "all to one number of channels"
        )
    remark = f"{where}: {counts[1]} of {len(images)} images are grey among colour images and were made RGB"
    return [np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x for x in images], (remark,)


def _resize(images: NDArray[Any], size: int | None) -> NDArray[Any]:
    if size is None or images.shape[1:3] == (size, size):
        return images
    from cambrian.tasks.images.decoding import resize_images  # late: Pillow takes a moment to import

    return resize_images(images, size, size)


def _check_counts(images: Images, labels: Any, where: str) -> None:
    if len(images) == len(labels):
        return
    shape = np.shape(images) if not isinstance(images, list) else ()
    last = len(labels) in shape[-2:]  # MATLAB's order
    hint = "give one label per image"
    if last:
        hint = "if the last axis counts the images, give np.moveaxis(images, -1, 0)"
    raise DataError(f"{where}: {len(images)} images but {len(labels)} labels: {hint}")


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
    # NaN and infinity survive a sum, which needs no second array; the float64 sum of finite float32 numbers
    # does not overflow. A float64 too large for float32 becomes infinite, and is refused as well.
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.ascontiguousarray(array, dtype=np.float32)
        total = single.sum(dtype=np.float64)
    if not np.isfinite(total):
        wrong = np.argwhere(~np.isfinite(single))[0].tolist()
        raise DataError(
            f"{where}: image {wrong[0]} holds {array[tuple(wrong)]} at row {wrong[1]}, column {wrong[2]}: "
            "replace or remove numbers that are not finite"
        )
    return single


def _join(parts: list[Images], where: str) -> Images:
    """The images of all parts, which must have one type and number of channels."""
    kinds = dict.fromkeys((image.dtype, image.shape[-1]) for part in parts for image in _some(part))
    if len(kinds) > 1:
        differing = " and ".join(f"{channels} channels of {dtype}" for dtype, channels in kinds)
        raise DataError(
            f"{where}: the parts differ: {differing}: bring them to one number of channels and type"
        )
    if len(parts) == 1:
        return parts[0]
    if any(isinstance(part, list) for part in parts) or len({np.shape(part)[1:] for part in parts}) > 1:
        return [image for part in parts for image in part]
    return np.concatenate(parts)


def _some(part: Images) -> list[NDArray[Any]]:
    return part if isinstance(part, list) else [part]
