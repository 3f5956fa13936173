"""Augmentation of whole batches on tensors: one gather crops and flips, one product cuts out.

Random crops after padding and flips as in He et al. 2016 (Sec. 4.2), cutout as in DeVries & Taylor 2017.
All random numbers of an epoch are drawn before it, so that a step depends only on its number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augment:
    """`crop`: the largest shift in pixels; zeros move in. `flip`: mirror every second image from left to
    right, on average. `cutout`: the side in pixels of a square that is set to the mean, around a point of the
    image. `upright`: shifts are to the left and right alone, as of spectrograms, whose rows are pitches."""

    crop: int = 0
    flip: bool = False
    cutout: int = 0
    upright: bool = False

    def __str__(self) -> str:
        along = " in time" * self.upright
        parts = [f"shifts{along} up to {self.crop} px"] * bool(self.crop) + ["flips"] * self.flip
        parts += [f"cutout of {self.cutout} px"] * bool(self.cutout)
        return ", ".join(parts) or "none"

    def scale(self, share: float) -> Augment:
        """The augmentation of images whose side is that share of these ones'."""
        return replace(self, crop=round(self.crop * share), cutout=round(self.cutout * share))

    def strengthen(self, strength: float, side: int) -> Augment:
        """The augmentation of images of that side, times a strength: 0 is none, 1 this one; above 1 a hole
        grows too, since many images have none at 1.

        >>> print(Augment(4, True, 0).strengthen(2.0, 32), "|", Augment(4, True, 12).strengthen(0.5, 32))
        shifts up to 8 px, flips, cutout of 12 px | shifts up to 2 px, flips, cutout of 6 px
        """
        hole = self.cutout * min(strength, 1.0) + HOLE * side * max(strength - 1.0, 0.0)
        # At most half of the side: further shifts would leave less than a quarter of the image.
        crop = min(round(self.crop * strength), side // 2)
        return replace(self, crop=crop, flip=self.flip and strength > 0, cutout=round(hole))


HOLE = 3 / 8
"""The side of the hole that a strength of 2 adds, as a share of the image's: that of cutout in small data."""


def automatic(
    height: int,
    width: int,
    channels: int,
    crop: int | None,
    flip: bool | None,
    cutout: int,
    upright: bool = False,
) -> Augment:
    """The given settings, with defaults in place of None: shifts of an eighth of the side, as the usual 4 of
    32, or of `upright` images of their width; flips for colour images of 32 pixels or more."""
    # Such images are mostly photographs; in small or grey ones, often characters, left and right matter.
    side = width if upright else min(height, width)
    if crop is None:
        crop = side // 8
    if flip is None:
        flip = channels == 3 and side >= 32
    return Augment(crop, flip, cutout, upright)


@dataclass(frozen=True)
class Draws:
    """The random draws of an epoch of n examples: their order and, by position in that order, the window's
    corner in the padded image, whether it is mirrored, and the centre of the hole."""

    order: Tensor  # int64[n]
    corner: Tensor  # int64[n, 2]
    mirrored: Tensor  # bool[n]
    hole: Tensor  # int64[n, 2]

    def scale(self, crop: tuple[int, int], side: tuple[tuple[int, int], tuple[int, int]]) -> Draws:
        """The same draws for images of another size; each pair is (this value, the new one)."""
        # Scaled and not drawn anew, since other bounds would lead to another order within a pass.
        old, new = (2 * c + 1 for c in crop)
        was, becomes = map(torch.tensor, side)
        return replace(self, corner=self.corner * new // old, hole=self.hole * becomes // was)


def draw(augment: Augment, examples: int, side: tuple[int, int], rng: np.random.Generator) -> Draws:
    """The draws of one epoch over images of `side` (height, width)."""
    # The sequence of these draws belongs to seeded runs, and must not change.
    corner = rng.integers(0, 2 * augment.crop + 1, size=(examples, 2))
    mirrored = rng.random(examples) < (0.5 if augment.flip else 0.0)
    if augment.upright:
        corner[:, 0] = augment.crop  # drawn all the same, so that the sequence is one for all
    hole = rng.integers(0, side, size=(examples, 2))
    order = rng.permutation(examples)
    return Draws(*map(torch.from_numpy, (order, corner, mirrored, hole)))


def pad(pixels: Tensor, crop: int, value: int = 0) -> Tensor:
    """[n, height, width, channels] with `crop` pixels of that value on each side."""
    return F.pad(pixels, (0, 0, crop, crop, crop, crop), value=value) if crop else pixels


def windows(padded: Tensor, draws: Draws, batch: slice, side: tuple[int, int]) -> Tensor:
    """The batch's windows [b, height, width, ...] of the padded images, or masks, mirrored where so drawn."""
    which = draws.order[batch]
    corner, mirrored = draws.corner[batch], draws.mirrored[batch]
    # Row and column indices for every image of the batch: one gather then crops and mirrors them all.
    columns = torch.arange(side[1], device=padded.device).expand(len(which), -1)
    columns = torch.where(mirrored[:, None], side[1] - 1 - columns, columns)
    rows = corner[:, :1] + torch.arange(side[0], device=padded.device)
    columns = corner[:, 1:] + columns
    return padded[which[:, None, None], rows[:, :, None], columns[:, None, :]]


def find_holes(side: tuple[int, int], size: int, centre: Tensor) -> Tensor:
    """bool[b, height, width] of images of `side`: true within squares of `size` around `centre` [b, 2]; as in
    the paper a square may reach beyond the border."""
    low = centre - size // 2
    inside = []
    for axis, length in enumerate(side):
        distance = torch.arange(length, device=centre.device) - low[:, axis : axis + 1]
        inside.append((distance >= 0) & (distance < size))
    return inside[0][:, :, None] & inside[1][:, None, :]


def cut_out(inputs: Tensor, holes: Tensor) -> Tensor:
    """Normalised [b, channels, height, width], set to 0, the mean, within its holes [b, height, width]."""
    return inputs * ~holes[:, None]
