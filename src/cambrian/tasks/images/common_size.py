"""One size for images of several sizes: a square, whose side is chosen where the user names none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cambrian.errors import DataError

USUAL_SIDE = 224  # the input of networks for photographs: no larger side is chosen
STRIP = 4
"""Times its width that a strip is long, or its length wide: what it shows is lost in a square."""

Shape = tuple[int, int]


def choose_side(
    name: str,
    shapes: Sequence[Shape],
    place: Callable[[int], str],
    size: int | None = None,
    masked: bool = False,
) -> tuple[int | None, tuple[str, ...]]:
    """The side to which images of these heights and widths are scaled, and a sentence that says so: `size`
    where the user names it, None where all are of one size. Image i is called `place(i)`. Raises DataError
    where most of them are strips, or where they are `masked` by masks that all are of one size."""
    if size is not None or len(set(shapes)) <= 1:
        return size, ()
    side = choose_square(shapes)
    spread = describe_sizes(shapes, place)
    if masked:
        raise DataError(
            f"{name}: {spread}, but all masks are of one size: bring each image to the size of its mask, or "
            f"squeeze both into squares with size={side} (--size {side})"
        )
    if np.median([max(shape) / min(shape) for shape in shapes]) > STRIP:
        raise DataError(
            f"{name}: {spread}: most of them are strips, more than {STRIP} times as long as wide, or as wide "
            f"as long: bring all to one size, or squeeze them into squares with size={side} (--size {side})"
        )
    return side, (
        f"{name}: {spread}: all are scaled to {side} x {side}: size= (--size) chooses another side",
    )


def choose_square(shapes: Sequence[Shape]) -> int:
    """The median of the shorter sides, so that at most half of the images are enlarged; USUAL_SIDE at
    most.

    >>> choose_square([(30, 40), (50, 32), (9, 90)]), choose_square([(3000, 4000)])
    (30, 224)
    """
    return min(USUAL_SIDE, int(np.median([min(shape) for shape in shapes])))


def describe_sizes(shapes: Sequence[Shape], place: Callable[[int], str]) -> str:
    """How many sizes there are, with the smallest and the largest image, so that the user can look at both.

    >>> describe_sizes([(3, 4), (30, 40), (3, 4)], "abc".__getitem__)
    '3 images have 2 sizes, from 4 x 3 pixels (a) to 40 x 30 (b)'
    """
    ordered = sorted(range(len(shapes)), key=lambda i: (shapes[i][0] * shapes[i][1], shapes[i]))
    (height, width), (highest, widest) = shapes[ordered[0]], shapes[ordered[-1]]
    return (
        f"{len(shapes)} images have {len(set(shapes))} sizes, from {width} x {height} pixels "
        f"({place(ordered[0])}) to {widest} x {highest} ({place(ordered[-1])})"
    )
