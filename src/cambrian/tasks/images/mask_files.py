"""Masks as image files: the value of a pixel is its class, in a grey PNG or in one with a palette."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cambrian.errors import DataError
from cambrian.tasks.images.image_files import open_image
from cambrian.tasks.images.masks import VALUES

if TYPE_CHECKING:
    from numpy.typing import NDArray

PACKED = {"L;2": 85, "L;4": 17}
"""Grey PNGs of 2 and 4 bits a pixel: Pillow multiplies their values, so that the largest becomes 255."""
LOSSY = ("JPEG", "WEBP")


def read_mask(path: Path, where: str) -> NDArray[np.uint8]:
    """The values of the pixels, uint8 [height, width]. Raises DataError for a picture in colours, and for a
    format that changes values."""
    with open_image(path, where) as image:
        if image.format in LOSSY:
            raise DataError(f"{where}: {image.format} does not keep the classes of pixels: save masks as PNG")
        tile = getattr(image, "tile", ())
        packed = PACKED.get(str(tile[0][3]) if tile else "", 1)
        return _read_values(image, where) // np.uint8(packed)


def _read_values(image: Image.Image, where: str) -> NDArray[np.uint8]:
    if image.mode in ("L", "P", "1"):
        return np.asarray(image).astype(np.uint8)
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() >= VALUES:
            wrong = wide.min() if wide.min() < 0 else wide.max()
            raise DataError(f"{where}: a pixel has the value {wrong}, expected classes from 0 to 255")
        return wide.astype(np.uint8)
    colours = np.asarray(image.convert("RGB"))
    if (colours != colours[..., :1]).any():
        raise DataError(
            f"{where}: a picture in colours, expected a mask whose pixels have the numbers of classes: save"
            " it as a grey PNG in which each colour is 0, 1, 2, ..."
        )
    return np.ascontiguousarray(colours[..., 0])


def read_palette(path: Path, where: str) -> list[int] | None:
    """The palette of a mask, red, green, blue of each value; None where it has none."""
    with open_image(path, where) as image:
        return image.getpalette("RGB") if image.mode == "P" else None


def draw_mask(classes: NDArray[np.int64], facts: Mapping[str, Any]) -> Image.Image:
    """The image of the classes int64 [h, w] of pixels: with the values and the palette that the masks of the
    training had, which `facts` record, else with the numbers of classes and VOC's colours."""
    values, palette = facts.get("values") or range(VALUES), facts.get("palette") or voc_palette()
    # Exports are files from anywhere: nothing in them is trusted.
    if not all(isinstance(numbers, list | range) and _are_bytes(numbers) for numbers in (values, palette)):
        raise DataError(f"how masks are drawn is damaged: {facts!r:.80}")
    if classes.max() >= len(values) or len(palette) > 3 * VALUES:
        raise DataError(f"how masks are drawn is damaged: {len(values)} values, {len(palette)} of a palette")
    image = Image.fromarray(np.array(values, np.uint8)[classes])
    # In full: Pillow packs pixels into as few bits as the palette needs.
    image.putpalette([*palette, *[0] * (3 * VALUES - len(palette))])
    return image


def _are_bytes(numbers: Iterable[object]) -> bool:
    return all(isinstance(number, int) and 0 <= number < VALUES for number in numbers)


def voc_palette() -> list[int]:
    """The colours of PASCAL VOC: the bits of a number, three at a time, are the highest bits of red, green
    and blue.

    >>> voc_palette()[:9]
    [0, 0, 0, 128, 0, 0, 0, 128, 0]
    """
    return [
        sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
        for number in range(VALUES)
        for channel in range(3)
    ]
