"""The unit of images: bytes from 0 to 255, floats from 0 to 1 beside them, or floats as a task has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_unit(array: NDArray[Any], stored: str, holds: str) -> NDArray[Any]:
    """The array as uint8 or float32, in the unit of images that are `stored` as either: of bytes, bytes, or
    bytes divided by 255. Raises DataError, in a sentence that begins with `holds`, as "digits has images",
    for any other array: a network would compute nonsense of it, without a word."""
    bytes_wanted = stored == "uint8"
    if array.dtype.kind not in "uif" or (array.dtype.kind in "ui" and not bytes_wanted):
        raise DataError(f"{holds} of {stored}, got an array of {array.dtype}")
    least, most = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    top = 255 if array.dtype.kind in "ui" else 1
    if bytes_wanted and not 0 <= least <= most <= top:
        raise DataError(
            f"{holds} of bytes: give whole numbers from 0 to 255, or floats from 0 to 1, got"
            f" {array.dtype} from {least:.4g} to {most:.4g}"
        )
    return array.astype(np.uint8 if array.dtype.kind in "ui" else np.float32)
