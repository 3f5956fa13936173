"""How image files become bytes where that is not plain: transparency, and grey levels of 16 bits.

One rule for a whole data set, found from its images, kept with the task and with what is exported, so that a
new image is read as those were that a network was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from PIL import Image

from cambrian.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}
GROUNDS = {"white": 255, "black": 0}
LIGHT = 170
"""Ink that is lighter on average is laid on black: on white it would hardly be seen."""
FEW_LEVELS = 64
"""Grey levels below which the range is cut to what the images hold."""


class Rendering(msgspec.Struct, frozen=True):
    """`background` is the grey that transparent parts are laid on (None: transparency is dropped, as earlier
    versions did); `black` and `white` are the values of 16-bit images that become 0 and 255."""

    background: int | None = None
    black: int = 0
    white: int = 65535

    def levels(self, wide: NDArray[Any]) -> NDArray[np.uint8]:
        """Grey values of up to 16 bits as bytes."""
        span = max(1, self.white - self.black)
        inside = np.clip(wide.astype(np.int64), self.black, self.white) - self.black
        return ((2 * 255 * inside + span) // (2 * span)).astype(np.uint8)

    def lay(self, image: Image.Image) -> Image.Image:
        """The image without transparency."""
        if self.background is None or not has_alpha(image):
            return image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image
        drawn = image.convert("RGBA")
        ground = Image.new("RGBA", drawn.size, (self.background,) * 3 + (255,))
        return Image.alpha_composite(ground, drawn).convert("RGB")


def has_alpha(image: Image.Image) -> bool:
    """Whether it may have transparent parts, in whichever way its format says so."""
    return image.mode in ALPHA or "transparency" in image.info


def range_of(image: Image.Image) -> tuple[int, int]:
    """The lowest and the highest value of a 16-bit image."""
    wide = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    return int(wide.min()), int(wide.max())


def ink_of(image: Image.Image) -> tuple[float, float]:
    """How much of it is transparent, from 0 to 1, and the mean grey of what is not."""
    drawn = np.asarray(image.convert("RGBA")).astype(np.float64)
    opacity = drawn[..., 3] / 255
    grey = drawn[..., :3] @ np.array([0.299, 0.587, 0.114])
    shown = float(opacity.sum())
    return float(1 - opacity.mean()), float((grey * opacity).sum() / shown) if shown else 0.0


def choose_levels(ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Black and white for images whose values lie in `ranges`: all values of as many bits as are used; where
    that would leave few grey levels, from the lowest to the highest value.

    >>> choose_levels([(0, 4000)]), choose_levels([(0, 255)]), choose_levels([(30_000, 30_500)])
    ((0, 4095), (0, 255), (30000, 30500))
    """
    low, high = min(a for a, _ in ranges), max(b for _, b in ranges)
    white = max(255, (1 << high.bit_length()) - 1)
    if 255 * (high - low) / white < FEW_LEVELS and high > low:
        return low, high
    return 0, white


def parse_levels(text: str) -> tuple[int, int]:
    """`LOW-HIGH` as a user writes it.

    >>> parse_levels("0-4095")
    (0, 4095)
    """
    low, dash, high = text.partition("-")
    if not (dash and low.strip().isdigit() and high.strip().isdigit() and int(low) < int(high) <= 65535):
        raise UsageError(f"levels={text!r:.40}: write the values that are black and white, such as 0-4095")
    return int(low), int(high)
