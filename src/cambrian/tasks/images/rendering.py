"""Rendering: the choices by which image files become pixels of 8 bits. They are the ground under transparent
pixels, and the grey levels of 16-bit images that become 0 and 255.

One rendering holds for all images of a data set. A task keeps it, and so does an exported network: images to
be predicted are rendered like those of the training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cambrian.errors import DataError, UsageError

Colour = tuple[int, int, int]
WIDEST = (0, 65535)
KEPT = "none"
GROUNDS: dict[str, Colour] = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}
"""In the order in which they are tried: viewers show white."""


@dataclass(frozen=True)
class Rendering:
    """`background` is the colour transparent pixels are laid on, None where transparency is dropped. `levels`
    are those of images with more than 8 bits that become 0 and 255."""

    background: Colour | None = None
    levels: tuple[int, int] = WIDEST

    def to_json(self) -> dict[str, Any]:
        return {
            "background": None if self.background is None else list(self.background),
            "levels": list(self.levels),
        }


UPRIGHT = Rendering(GROUNDS["white"])
"""The rendering of a single picture, as viewers show it."""


def read_rendering(facts: object) -> Rendering:
    """The rendering that a task or an export has recorded; where nothing is recorded, as earlier versions
    rendered. Raises DataError where it is damaged."""
    if not isinstance(facts, Mapping):
        raise DataError(f"how images are rendered is damaged: {facts!r:.80}")
    # Exports are files from anywhere: nothing in them is trusted.
    background, levels = facts.get("background"), facts.get("levels", WIDEST)
    if not (background is None or _are_whole(background, 3)) or not _are_whole(levels, 2):
        raise DataError(f"how images are rendered is damaged: {facts!r:.80}")
    return Rendering(None if background is None else (*background,), check_levels((*levels,)))


def read_background(text: str) -> Colour | None:
    """The colour called so, None for "none". Raises UsageError.

    >>> read_background("white"), read_background("#102030"), read_background("none")
    ((255, 255, 255), (16, 32, 48), None)
    """
    from PIL import ImageColor  # late: Pillow takes a moment to import

    if text.strip().lower() == KEPT:
        return None
    try:
        red, green, blue = ImageColor.getrgb(text.strip())[:3]  # a ground is opaque
    except ValueError:
        raise UsageError(
            f"background={text!r:.60}: not a colour: give white, black, grey, another colour such as "
            "#ff8000, none to drop transparency, or auto"
        ) from None
    return red, green, blue


def read_levels(text: str) -> tuple[int, int]:
    """`LOWEST-HIGHEST` as a user writes it. Raises UsageError.

    >>> read_levels("0-4095"), read_levels("-100-100")
    ((0, 4095), (-100, 100))
    """
    # Signed 16-bit images have levels below 0: a second dash is a sign.
    match = re.fullmatch(r"\s*(-?\d{1,10})\s*-\s*(-?\d{1,10})\s*", text)
    if not match:
        raise UsageError(
            f"levels={text!r:.40}: expected the lowest and the highest grey level, such as 0-4095"
        )
    return check_levels((int(match[1]), int(match[2])))


def check_levels(levels: tuple[int, int]) -> tuple[int, int]:
    """Raises UsageError where they are not a range."""
    if not levels[0] < levels[1]:
        raise UsageError(
            f"levels={levels[0]}-{levels[1]}: expected the lowest and the highest grey level, such as 0-4095"
        )
    return levels


def name_colour(colour: Colour | None) -> str:
    """
    >>> name_colour((255, 255, 255)), name_colour((16, 32, 48))
    ('white', '#102030')
    """
    if colour is None:
        return KEPT
    names = {ground: name for name, ground in GROUNDS.items()}
    return names.get(colour, "#{:02x}{:02x}{:02x}".format(*colour))


def _are_whole(values: object, count: int) -> bool:
    return (
        isinstance(values, list | tuple) and len(values) == count and all(isinstance(v, int) for v in values)
    )
