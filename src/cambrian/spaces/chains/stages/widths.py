"""The stride before stages, their channels, and between which of them a block is added to its input as it
is."""

from __future__ import annotations

FILTERS = (8, 12, 16, 24, 32, 48, 64)
"""Filters of a first stage for which shortcuts are compared: those that a search gives it."""
WITHOUT_SHORTCUT = ("plain", "paired")
"""Blocks whose first one has no shortcut."""


def choose_stem_stride(side: int) -> int:
    """By how much the first layer reduces images of so many pixels a side."""
    return 1 if side <= 64 else 2 if side < 128 else 4


def scale_channels(channels: int, width: float) -> int:
    """`width` times the channels, in fours.

    >>> scale_channels(16, 0.75), scale_channels(8, 0.5), scale_channels(2, 0.5)
    (12, 4, 4)
    """
    return max(4, 4 * round(channels * width / 4))


def list_shortcuts(blocks: list[str], widths: list[float]) -> list[bool]:
    """Of each stage after the first, for some numbers of filters, whether the first block reads as many
    channels as it has: where the stage does not halve the image, it is added to its input then, and in any
    other case not, or through a projection."""
    return [
        scale_channels(filters * 2 ** (n - 1), widths[n - 1]) == scale_channels(filters * 2**n, widths[n])
        for filters in FILTERS
        for n in range(1, len(blocks))
        if blocks[n] not in WITHOUT_SHORTCUT
    ]
