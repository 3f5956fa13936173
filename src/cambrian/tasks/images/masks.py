"""Masks, the classes of an image's pixels. As in PASCAL VOC (Everingham et al. 2010, "The PASCAL Visual
Object Classes Challenge") the value 255 is no class: such pixels are neither learned nor judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES = 256
"""The values of a pixel of 8 bits."""
IGNORED_VALUE = 255

Number = TypeVar("Number", bound=np.generic)


def find_ignored(present: Sequence[int]) -> int | None:
    """The value among those of all masks that is no class: 255, unless it is one of two, as white is in black
    and white masks, or the last of 256 classes.

    >>> find_ignored([0, 1, 255]), find_ignored([0, 255])
    (255, None)
    """
    alone = len(present) > 2 and IGNORED_VALUE - 1 not in present
    return IGNORED_VALUE if IGNORED_VALUE in present and alone else None


def resize_masks(masks: NDArray[Number], height: int, width: int) -> NDArray[Number]:
    """[n, h, w] to [n, height, width]: each pixel has the class of the nearest one, since between two classes
    there is none."""
    # The centres of the new pixels, in the old ones.
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip((height, width), masks.shape[1:], strict=True)
    )
    return masks[:, rows[:, None], columns]
