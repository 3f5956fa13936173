"""Items of a data set in memory: which of an item's values is the image and which the label."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.phrases import list_names, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_KEYS = ("image", "images", "img", "pixel_values", "x", "input", "inputs", "data", "picture", "pixels")
READ_AGAIN = 8
"""Items that are read twice: of flips by a coin, none would be noticed in one of 256 data sets."""
LABEL_KEYS = ("label", "labels", "class", "target", "targets", "y", "fine_label", "class_id", "category")


class Items:
    """The `images` and `labels` of all items of `source`, decoded one by one."""

    def __init__(self, source: Any, length: int, image: str | int | None, label: str | int | None) -> None:
        self.kind = type(source).__name__
        self.notes: tuple[str, ...] = ()
        first = self._item(source, 0)
        self._places = self._find(first, image, label)
        self.are_tensors = is_tensor(self._values(first, 0)[0])
        # Item by item, once: a data set may draw anew, or fetch, each time it is asked.
        pairs = [self._values(self._item(source, i), i) for i in range(length)]
        self.images = [self._image(image, i) for i, (image, _) in enumerate(pairs)]
        self.labels = [_label(label) for _, label in pairs]
        self.notes += self._find_random(source)

    def _find_random(self, source: Any) -> tuple[str, ...]:
        """A sentence where the first items are other images when they are read again, as random transforms
        make them."""
        for i, image in enumerate(self.images[:READ_AGAIN]):
            # One that cannot be read again says nothing about transforms, and all are read.
            with suppress(DataError):
                again = self._image(self._values(self._item(source, i), i)[0], i)
                if not np.array_equal(image, again, equal_nan=image.dtype.kind == again.dtype.kind == "f"):
                    return (
                        f"{self.kind}: items differ at each read: random transforms are applied once, and"
                        " every epoch sees the same images; leave them out, since training augments images"
                        " by itself",
                    )
        return ()

    def _item(self, source: Any, i: int) -> Any:
        try:
            return source[i]
        except Exception as error:  # user code: whatever it raises, the user must learn which item it was
            raise self._unusable(i, f"{type(error).__name__}: {reason(error)}") from error

    def _unusable(self, i: int, why: str) -> DataError:
        return DataError(f"item {i} of {self.kind} cannot be had as (image, label): {why}")

    def _find(self, item: Any, image: Any, label: Any) -> tuple[Any, Any]:
        """The keys or positions of the image and of the label."""
        if isinstance(item, Mapping):
            return self._find_keys(item, image, label)
        if not isinstance(item, tuple | list):
            raise self._unusable(0, f"it is a {type(item).__name__!r}: return an image and its label")
        if len(item) < 2:
            raise self._unusable(0, f"it has {len(item)} values: return an image and its label")
        at, label_at = self._position(item, "image", image), self._position(item, "label", label)
        if len(item) == 2 and at is None and label_at is None:
            return 0, 1
        return self._guess(item, at, label_at)

    def _find_keys(self, item: Mapping[Any, Any], image: Any, label: Any) -> tuple[Any, Any]:
        chosen = []
        for role, given, usual in (("image", image, IMAGE_KEYS), ("label", label, LABEL_KEYS)):
            keys = {str(key).lower(): key for key in item}  # as the item writes them
            key = given if given in item else keys.get(str(given).lower()) if given is not None else None
            if given is None:
                key = next((keys[name] for name in usual if name in keys), None)
            if key is None:
                asked = "" if given is None else f" {given!r}"
                raise DataError(
                    f"the items of {self.kind} hold {list_names(list(keys))}, but no {role}{asked}: name it "
                    f"with {role}=KEY"
                )
            chosen.append(key)
        left = [str(key) for key in item if key not in chosen]
        if left:
            self.notes = (
                f"{self.kind}: of each item {chosen[0]!r} is the image and {chosen[1]!r} the label, left out "
                f"is {list_names(left)}: image= and label= choose others",
            )
        return chosen[0], chosen[1]

    def _position(self, item: Any, name: str, given: Any) -> int | None:
        if given is None:
            return None
        fields = getattr(item, "_fields", ())  # of a named tuple
        if given in fields:
            return int(fields.index(given))
        try:
            position = int(given)
            item[position]
        except (ValueError, IndexError):
            raise DataError(
                f"{self.kind}: {name}={given!r}: expected a position from 0 to {len(item) - 1}"
            ) from None
        return position % len(item)

    def _guess(self, item: Any, image: int | None, label: int | None) -> tuple[int, int]:
        """Of several values, the first that has two axes is the image, the next without any the label."""
        axes = [axes_of(value) for value in item]
        if image is None:
            image = next((i for i, n in enumerate(axes) if n >= 2 and i != label), 0)
        if label is None:
            others = [i for i in range(len(item)) if i != image]
            label = next((i for i in others if axes[i] == 0), others[0])
        self.notes = (
            f"{self.kind}: items have {len(item)} values, of which number {image} is taken as the image and "
            f"number {label} as the label: image= and label= choose others",
        )
        return image, label

    def _values(self, item: Any, i: int) -> tuple[Any, Any]:
        image, label = self._places
        try:
            return item[image], item[label]
        except Exception as error:
            raise self._unusable(i, f"unlike the first, it is {type(item).__name__!r}") from error

    def _image(self, value: Any, i: int) -> NDArray[Any]:
        array = self._array(value, i)
        # Some data sets give batches of one image.
        while array.ndim > 3 and array.shape[0] == 1:
            array = array[0]
        if array.dtype.kind not in "uifb" or not 1 <= array.ndim <= 3:
            raise self._unusable(
                i, f"its image is {type(value).__name__!r}, an array {list(array.shape)} of {array.dtype}"
            )
        return array

    def _array(self, value: Any, i: int) -> NDArray[Any]:
        try:
            return np.asarray(array_of(value))
        except Exception as error:  # such as rows of unequal length
            raise self._unusable(i, f"its image is not an array: {reason(error)}") from error


def array_of(value: Any) -> Any:
    """An array of a tensor, a picture, a column of a table; a list of such stays a list."""
    # Known by their methods: torch, Pillow and pandas are not imported for it.
    if isinstance(value, list | tuple):
        return [array_of(v) if is_tensor(v) or _is_picture(v) else v for v in value]
    if is_tensor(value):
        return _of_tensor(value)
    if _is_picture(value):
        from cambrian.tasks.images.decoding import GREY, convert

        return convert(value, value.mode in GREY)
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    return np.asarray(value)


def is_tensor(value: Any) -> bool:
    """Whether this is a torch tensor, or a list of such."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    return hasattr(value, "detach") and hasattr(value, "cpu")


def _of_tensor(value: Any) -> NDArray[Any]:
    value = value.detach().cpu()
    try:
        return np.asarray(value)
    except (TypeError, RuntimeError):  # numpy does not have bfloat16
        return np.asarray(value.float())


def _is_picture(value: Any) -> bool:
    return hasattr(value, "mode") and hasattr(value, "convert")


def axes_of(value: Any) -> int:
    """How many axes the value has as an array: 0 of a label, 2 or 3 of an image."""
    if _is_picture(value):
        return 2
    if isinstance(value, str | bytes) or value is None:
        return 0
    try:
        return np.ndim(value)
    except Exception:
        return 0


def _label(value: Any) -> Any:
    value = _of_tensor(value) if hasattr(value, "detach") else value
    return value.item() if getattr(value, "size", 0) == 1 and hasattr(value, "item") else value
