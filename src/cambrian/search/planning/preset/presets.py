"""Presets: sizes of a search, from a minute's to a paper's, of which a budget takes one."""

from __future__ import annotations

import math

import msgspec

LEVELS = 5
"""Presets count levels in fifths of those that the space has."""
SIZES = 9
"""Presets count sizes as if a space had so many, from 0, its smallest, to 8, its largest."""
SEARCHED = 2 / 3
"""The search's share of a budget of time; the rest is for the final stage."""
FIRST = 136
"""Architectures of the first level, at most: as many cells as PNAS has of one block (Sec. 3.2)."""


class Preset(msgspec.Struct, frozen=True):
    """`keep` architectures at each of `levels` fifths of the space's levels after the first, each trained for
    `epochs` on at most `images` images in a network of size `size`; the final networks for `final_epochs` in
    size `final_size`. A space with more levels has as many trials: fewer at each."""

    levels: int
    keep: int
    epochs: int
    images: int
    size: int = 0
    final_epochs: int = 15
    final_size: int = 2

    @property
    def trials(self) -> int:
        return FIRST + (self.levels - 1) * self.keep


# From cheap to dear: a budget takes the search and the final stage that fit it, also between two of them.
PRESETS = (
    Preset(2, 8, 4, 500, final_epochs=3, final_size=0),
    Preset(2, 16, 3, 1000, final_epochs=5, final_size=0),
    Preset(3, 16, 2, 1500, final_epochs=10, final_size=1),
    Preset(3, 28, 4, 2000, final_size=1),
    Preset(3, 48, 4, 5000),
    Preset(4, 48, 4, 10_000, final_epochs=20),
    Preset(4, 64, 5, 15_000, final_epochs=30, final_size=4),
    Preset(5, 64, 6, 20_000, size=2, final_epochs=40, final_size=5),
    Preset(5, 128, 10, 30_000, size=2, final_epochs=80, final_size=6),
    Preset(5, 256, 15, 45_000, size=3, final_epochs=200, final_size=7),
    Preset(5, 256, 20, 45_000, size=5, final_epochs=600, final_size=8),
)
"""The last one is as large as the search of PNAS's paper (Sec. 5.1)."""


def read_preset(place: float) -> Preset:
    """The preset at a place, counted from 0, which may lie between two of them: counts by equal ratios,
    levels and sizes rounded down, so that each costs no less than all before it.

    >>> read_preset(7.5)
    Preset(levels=5, keep=90, epochs=7, images=24494, size=2, final_epochs=56, final_size=5)
    """
    below = min(int(place), len(PRESETS) - 2)
    share, lower, upper = place - below, PRESETS[below], PRESETS[below + 1]
    fields: dict[str, int] = {}
    for name, one in msgspec.structs.asdict(lower).items():
        other = getattr(upper, name)
        between = one + share * (other - one) if name in GRADES else one * (other / one) ** share
        fields[name] = int(between + 1e-9)  # a power may fall short of a whole number
    return Preset(**fields)


def join_parts(search: Preset, final: Preset) -> Preset:
    """The search of one preset and the final stage of another."""
    return msgspec.structs.replace(search, final_epochs=final.final_epochs, final_size=final.final_size)


def stretch_preset(preset: Preset, search: float = 1.0, final: float = 1.0) -> Preset:
    """The preset with `search` times as much training in the search, by more networks that are each trained
    for longer on more images, and `final` times as much of the final networks.

    >>> stretch_preset(PRESETS[7], search=8.0, final=1.5)
    Preset(levels=5, keep=128, epochs=12, images=40000, size=2, final_epochs=60, final_size=5)
    """
    each = math.pow(search, 1 / 3)
    return msgspec.structs.replace(
        preset,
        keep=int(preset.keep * each),
        epochs=int(preset.epochs * each),
        images=int(preset.images * each),
        final_epochs=int(preset.final_epochs * final),
    )


GRADES = ("levels", "size", "final_size")
"""The fields that are places on a scale; all others are counts."""

USUAL = PRESETS[3]
"""The preset without a budget, where the data have few pixels in all; with more of them, half an hour is the
budget (see `plan`)."""
