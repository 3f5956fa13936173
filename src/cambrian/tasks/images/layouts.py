"""Which axis of an array holds the channels, and whether rows of numbers are images at all.

The shape decides, in this order: a square image (13 x 32 x 32 has its channels first), then the smaller end
(3 x 120 x 160). Where it does not decide, channels are last, or first for tensors.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cambrian.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.goal import GoalName

Layout = Literal["channels-first", "channels-last"]

USUAL = (1, 3, 4)  # grey, RGB, RGB and alpha
SIDE = 5  # of the smallest image that a row of numbers is taken for: below, tables are more likely
FLAT = (784, 3072)  # MNIST's and CIFAR's rows are images whatever their values are


@dataclass(frozen=True)
class Form:
    """A description of arrays of images, as far as it is known: `layout` and `shape` (28x28, 3x32x32) of an
    image, which of several labels is meant (`column`), whether they are `tensors`, whose channels come
    first by convention, and what the labels are (`goal`, see `cambrian.tasks.targets.reading`)."""

    layout: Layout | None = None
    shape: str | None = None
    column: int | None = None
    tensors: bool = False
    goal: GoalName | None = None
    remedy: str = "give features=True"
    """What to do where rows are not images but features."""


UNKNOWN = Form()


def channels_last(array: NDArray[Any], form: Form, where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Numbers [n, ...] as images [n, height, width, channels], and a sentence for each guess."""
    notes: tuple[str, ...] = ()
    if form.shape is not None:
        array = _reshape(array, sides(form.shape), where)
    elif array.ndim == 2 or (array.ndim == 3 and 1 in array.shape[1:]):  # [n, 1, 784] is rows, too
        array, notes = _of_rows(array.reshape(len(array), -1), form, where)
    if array.ndim == 3:
        return array[..., None], notes
    if array.ndim != 4:
        raise DataError(
            f"{where}: expected images [n, height, width, channels], got an array {list(array.shape)}"
        )
    if notes:  # the note about rows says it: no second one about the channels
        return (array if array.shape[3] == 1 else _move_channels(array, _is_first(array, form))), notes
    first = _is_first(array, form)
    moved = _move_channels(array, first)
    return moved, () if form.layout or _is_plain(moved.shape) else (_remark(array, first, where),)


def sides(shape: str) -> tuple[int, ...]:
    """The sides of an image written 28x28 or 32x32x3. Raises DataError where it is not written so.

    >>> sides("28x28"), sides("3 x 32 x 32")
    ((28, 28), (3, 32, 32))
    """
    match = re.fullmatch(
        r"\s*[1-9]\d{0,5}(\s*[x×*,]\s*[1-9]\d{0,5}){1,2}\s*", shape, re.ASCII | re.IGNORECASE
    )
    if match is None:
        raise DataError(f"shape={shape!r:.40}: expected HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS, such as 28x28")
    return tuple(map(int, re.findall(r"\d+", shape)))


def is_first(shape: tuple[int, ...], tensors: bool) -> bool:
    """Whether the channels of an image of three axes are the first of them."""
    first, middle, last = shape
    # Two equal sides are the image, the third are its channels. Where all are equal, they say nothing.
    if (first == middle) != (middle == last):
        return middle == last
    return first < last if first != last else tensors


def _is_first(array: NDArray[Any], form: Form) -> bool:
    if form.layout is not None:
        return form.layout == "channels-first"
    return is_first(array.shape[1:], form.tensors)


def _move_channels(array: NDArray[Any], first: bool) -> NDArray[Any]:
    return array.transpose(0, 2, 3, 1) if first else array


def _is_plain(shape: tuple[int, ...]) -> bool:
    """Whether images [n, h, w, c] are grey or colour without a doubt."""
    _, height, width, channels = shape
    # A channel count that is a side as well, or sides as small as a channel count, allow another reading.
    usual = channels in USUAL and channels not in (height, width)
    return usual and (height == width or min(height, width) > max(USUAL))


def _remark(array: NDArray[Any], first: bool, where: str) -> str:
    _, height, width, channels = _move_channels(array, first).shape
    shape_text = " x ".join(map(str, array.shape[1:]))
    return (
        f"{where}: {shape_text} is taken as {channels} channels of {height} x {width} pixels: if that is "
        f"wrong, give layout=channels-{'last' if first else 'first'}"
    )


def _reshape(array: NDArray[Any], shape: tuple[int, ...], where: str) -> NDArray[Any]:
    count = math.prod(array.shape[1:])
    if count != math.prod(shape):
        shape_text = "x".join(map(str, shape))
        raise DataError(
            f"{where}: {count} values per image do not make shape={shape_text}, which are {math.prod(shape)}"
        )
    return array.reshape(len(array), *shape)


def _of_rows(array: NDArray[Any], form: Form, where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Rows [n, values] as square images, grey or of three colours, if they look like such."""
    values = array.shape[1]
    side, colour_side = math.isqrt(values), math.isqrt(values // 3)
    if side * side == values and side >= SIDE and _are_pixels(array):
        return array.reshape(-1, side, side, 1), (
            _describe_rows(where, values, f"grey images of {side} x {side}"),
        )
    if colour_side**2 * 3 == values and colour_side > SIDE and _are_pixels(array):
        # CIFAR's files hold all of red, then green, then blue (Krizhevsky 2009).
        last = form.layout == "channels-last"
        kept = (colour_side, colour_side, 3) if last else (3, colour_side, colour_side)
        order = "pixel by pixel" if last else "colour by colour (or else layout=channels-last)"
        kind = f"images of {colour_side} x {colour_side} in three colours, {order}"
        return array.reshape(-1, *kept), (_describe_rows(where, values, kind),)
    raise DataError(
        f"{where}: rows of {values} values look like a table of features, not of pixels: if a row is an "
        "image, say of which shape=HEIGHTxWIDTH, or give images [n, height, width, channels]; if not, "
        f"{form.remedy}"
    )


def _describe_rows(where: str, values: int, kind: str) -> str:
    return f"{where}: rows of {values} values are taken as {kind}: if that is wrong, give shape=HEIGHTxWIDTH"


def _are_pixels(array: NDArray[Any]) -> bool:
    """Whether the values are such as pixels have: 0 to 255, 0 to 1, or -1 to 1 with black at -1."""
    if array.shape[1] in FLAT or array.dtype.kind == "b":
        return True
    low, high = float(array.min()), float(array.max())
    finite = math.isfinite(low) and math.isfinite(high)
    # NaN and infinity are refused later, by their place.
    return (low >= 0 and high <= 255) or (low == -1 and high <= 1) or not finite
