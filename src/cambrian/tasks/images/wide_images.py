"""Images with more than 8 bits: grey, which Pillow reads whole, and colours of 16 bits, of which it reads the
upper 8 only. Colours are decoded twice, the second time as if their bytes were in the other order: the lower
byte of each value is then the upper one."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
SWAPPED = {f"{mode};16{a}": f"{mode};16{b}" for mode in ("RGB", "RGBA") for a, b in OTHER.items()}
GREY_ALPHA = "LA;16B"  # of PNG; its four bytes a pixel are those of RGBA


def is_wide(image: Image.Image) -> bool:
    """Whether its values have more than 8 bits, and all of them can be read."""
    raw = _raw_mode(image)
    return image.mode.startswith("I") or raw in SWAPPED or raw == GREY_ALPHA


def is_cut(image: Image.Image) -> bool:
    """Whether only the upper 8 bits of its values can be read."""
    return not is_wide(image) and ";16" in str(getattr(image, "tile", ""))


def has_grey(image: Image.Image) -> bool:
    """Whether it is 16-bit grey with an alpha channel, which Pillow takes for colours."""
    return _raw_mode(image) == GREY_ALPHA


def wide_values(image: Image.Image) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """The values int64 [h, w, 1 or 3] and the opacity uint8 [h, w], None where there is none. The image must
    not have been decoded yet, unless it is grey."""
    raw = _raw_mode(image)
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int64)[..., None], None
    if raw == GREY_ALPHA:
        # Read as RGBA, a pixel's four bytes are two of grey and two of opacity, upper ones first.
        pairs = _decode(image, lambda _: "RGBA")
        return (256 * pairs[..., :1] + pairs[..., 1:2]), pairs[..., 2].astype(np.uint8)
    upper, lower = _decode(image, lambda raw: raw), _decode(image, SWAPPED.__getitem__)
    values = 256 * upper + lower
    return values[..., :3], upper[..., 3].astype(np.uint8) if values.shape[2] == 4 else None


def narrow(image: Image.Image, levels: tuple[int, int]) -> Image.Image:
    """The image scaled to 8 bits a value: `levels` become 0 and 255."""
    values, opacity = wide_values(image)
    low, high = levels
    shares = (np.clip(values, low, high) - low) / (high - low)
    planes = np.rint(255 * shares).astype(np.uint8)
    bands = [Image.fromarray(np.ascontiguousarray(planes[..., i])) for i in range(planes.shape[2])]
    if opacity is None:
        return Image.merge("RGB", bands) if len(bands) == 3 else bands[0]
    return Image.merge("RGBA" if len(bands) == 3 else "LA", [*bands, Image.fromarray(opacity)])


def open_again(image: Image.Image) -> ImageFile.ImageFile:
    """The same file, not decoded yet, as `image` is not."""
    assert isinstance(image, ImageFile.ImageFile)
    assert image.fp is not None
    place = image.fp.tell()  # `image` may be in the middle of reading
    image.fp.seek(0)
    again = Image.open(io.BytesIO(image.fp.read()), formats=[str(image.format)])
    image.fp.seek(place)
    return again


def _raw_mode(image: Image.Image) -> str | None:
    """How the values are stored, None where that differs from part to part, or the image is decoded."""
    stored = [tile[3] for tile in getattr(image, "tile", ()) if tile[3]]
    modes = {arguments if isinstance(arguments, str) else arguments[0] for arguments in stored}
    return modes.pop() if len(modes) == 1 else None


def _decode(image: Image.Image, stored: Callable[[str], str]) -> NDArray[np.int64]:
    """The bytes of the file's pixels, decoded as if their mode were the one that `stored` makes of it."""
    with open_again(image) as again:
        again.tile = [tile._replace(args=_replace(tile.args, stored)) for tile in again.tile]
        return np.asarray(again).astype(np.int64)


def _replace(arguments: Any, stored: Callable[[str], str]) -> Any:
    if isinstance(arguments, str):
        return stored(arguments)
    return (stored(arguments[0]), *arguments[1:])
