"""A survey of images whose headers do not suffice: where ink lies under transparency, and which of 65,536
grey levels occur. It is one pass over those images only; the rendering of all is chosen by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.tasks.images.rendering import GROUNDS, WIDEST, Colour, name_colour
from cambrian.tasks.images.wide_images import is_wide, narrow, wide_values

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

SEEN = 48.0  # of 255: the contrast from which ink is seen on its ground
OUTLIERS = 0.001  # of an image's pixels may be hot or dead
SQUEEZED = 4  # outliers that leave the other levels less than a quarter of the range are clipped


@dataclass(frozen=True)
class Ink:
    """The visible part of an image with an alpha channel: `mean` and `variance` of its colours, float64[3],
    weighted by opacity. An image that is transparent throughout does not have ink."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    def contrast(self, ground: Colour) -> float:
        """Root mean square of the difference from `ground`, 0 to 255."""
        return float(np.sqrt(((self.mean - ground) ** 2 + self.variance).mean()))


@dataclass(frozen=True)
class Findings:
    """Of one image: `transparent` in places, its `ink`, and its grey `levels` (lowest, low, high, highest)
    where these have more than 8 bits. Low and high leave out a thousandth of the pixels each."""

    transparent: bool = False
    ink: Ink | None = None
    levels: tuple[float, float, float, float] | None = None


def has_alpha(image: Image.Image) -> bool:
    """Whether some pixels may be transparent: an alpha channel, or a colour that stands for it."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def examine(image: Image.Image) -> Findings:
    """Decode the image and find its transparency, ink and levels."""
    levels = None
    if is_wide(image):
        values, _ = wide_values(image)
        levels = _levels(values)
        # By its own levels: how well ink is seen must not hang on how much of the 16 bits is used.
        image = narrow(image, (int(levels[0]), int(levels[0]) + max(1, int(levels[3] - levels[0]))))
    if not has_alpha(image):
        return Findings(levels=levels)
    rgba = np.asarray(image.convert("RGBA"))
    opacity = rgba[..., 3].astype(np.float64)
    if opacity.min() == 255:  # an alpha channel that hides nothing
        return Findings(levels=levels)
    ink = _ink(rgba[..., :3].astype(np.float64), opacity)
    return Findings(transparent=True, ink=ink, levels=levels)


def choose_background(
    name: str, findings: Sequence[Findings], asked: Colour | EllipsisType | None
) -> tuple[Colour | None, tuple[str, ...]]:
    """The ground for the transparent images, `asked` unless it is `...`, and a sentence about it."""
    transparent = [image for image in findings if image.transparent]
    inks = [image.ink for image in transparent if image.ink]
    if not transparent:
        return GROUNDS["white"], ()
    # Where all are transparent throughout, the colours alone hold the picture.
    guess = _ground_of(inks) if inks else None
    background = guess if isinstance(asked, EllipsisType) else asked
    done = "which is dropped" if background is None else f"and are laid on {name_colour(background)}"
    note = (
        f"{name}: {len(transparent)} images are transparent in places, {done} (background= chooses "
        "another colour, or none)"
    )
    return background, (note,)


def choose_levels(
    name: str, findings: Sequence[Findings], others: bool, asked: tuple[int, int] | None
) -> tuple[tuple[int, int], tuple[str, ...]]:
    """The grey levels that become 0 and 255, and a sentence about it. `others` tells whether there are images
    of 8 bits, too, whose white is 255: then white is white in all."""
    levels = np.array([image.levels for image in findings if image.levels])
    if not len(levels):
        return WIDEST, ()
    lowest, highest = int(levels[:, 0].min()), int(levels[:, 3].max())
    scale = asked or (_whole_bits(highest) if others else _range_of(levels))
    clipped = " and what lies beyond is clipped" if lowest < scale[0] or highest > scale[1] else ""
    note = (
        f"{name}: {len(levels)} images have 16 bits a value, {lowest} to {highest}: {scale[0]} to {scale[1]} "
        f"become 0 to 255 in all of them{clipped} (levels=LOWEST-HIGHEST chooses others)"
    )
    return scale, (note,)


def _levels(array: NDArray[Any]) -> tuple[float, float, float, float]:
    # "nearest" gives levels that occur, not means of two.
    low, high = np.quantile(array, (OUTLIERS, 1 - OUTLIERS), method="nearest")
    return float(array.min()), float(low), float(high), float(array.max())


def _ink(colours: NDArray[np.float64], opacity: NDArray[np.float64]) -> Ink | None:
    total = opacity.sum()
    if not total:
        return None
    weights = opacity[..., None] / total
    mean = (colours * weights).sum((0, 1))
    return Ink(mean, ((colours - mean) ** 2 * weights).sum((0, 1)))


def _ground_of(inks: Sequence[Ink]) -> Colour:
    """The first on which the ink of every image is seen; else where the faintest is seen best."""
    faintest = {ground: min(ink.contrast(ground) for ink in inks) for ground in GROUNDS.values()}
    seen = (ground for ground, contrast in faintest.items() if contrast >= SEEN)
    return next(seen, max(faintest, key=faintest.__getitem__))


def _range_of(levels: NDArray[np.float64]) -> tuple[int, int]:
    """From the lowest to the highest level, without outliers where these would squeeze all others."""
    lowest, low, high, highest = (
        levels[:, 0].min(),
        levels[:, 1].min(),
        levels[:, 2].max(),
        levels[:, 3].max(),
    )
    squeezed = high > low and (highest - lowest) > SQUEEZED * (high - low)
    start, end = (low, high) if squeezed else (lowest, highest)
    return int(start), max(int(end), int(start) + 1)


def _whole_bits(highest: int) -> tuple[int, int]:
    """
    >>> _whole_bits(200), _whole_bits(3000), _whole_bits(40000)
    ((0, 255), (0, 4095), (0, 65535))
    """
    return 0, max(255, 2 ** max(highest, 0).bit_length() - 1)
