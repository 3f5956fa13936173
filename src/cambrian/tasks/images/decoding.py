"""Image files to arrays. Training data and `cambrian predict` are decoded here, the same way.

Conventions: the orientation in EXIF or XMP is applied; one grey channel where every image is grey, else RGB;
transparent pixels are laid on one ground, and grey of more than 8 bits is scaled to 8, by one `Rendering` for
all images of a data set; palettes, CMYK and the rest are Pillow's conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cambrian.errors import DataError
from cambrian.tasks.examples import Decode, Decoded
from cambrian.tasks.images.common_size import choose_side
from cambrian.tasks.images.each_file import for_each
from cambrian.tasks.images.image_files import (
    GREY,
    Header,
    Source,
    header,
    open_image,
    orientation,
)
from cambrian.tasks.images.rendering import (
    UPRIGHT,
    Colour,
    Rendering,
    read_background,
    read_levels,
)
from cambrian.tasks.images.survey import Findings, choose_background, choose_levels, examine, has_alpha
from cambrian.tasks.images.wide_images import is_wide, narrow
from cambrian.tasks.limits import check_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GREY", "SUFFIXES", "convert", "decode_files", "read_images", "resize_images"]

SUFFIXES = {
    ".png",
    ".apng",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".bmp",
    ".dib",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
}
TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""The turn that makes a picture upright, by its orientation (EXIF, tag 274)."""


def read_images(
    paths: Sequence[str | Path],
    channels: int,
    height: int,
    width: int,
    rendering: Rendering | None = None,
) -> NDArray[np.uint8]:
    """The image files as uint8 [n, height, width, channels]; `channels` is 1 (grey) or 3 (RGB)."""
    if channels not in (1, 3):
        raise DataError(f"image files have 1 or 3 channels, but {channels} are expected here")
    how = rendering or Rendering()
    inputs = np.empty((len(paths), height, width, channels), np.uint8)
    files = [(Path(path), str(path)) for path in paths]

    def fill(row: int) -> None:
        header(*files[row])
        inputs[row] = pixels(*files[row], channels == 1, (height, width), how)

    for_each(fill, [where for _, where in files])
    return inputs


def decode_files(
    name: str,
    source: Callable[[int], Source],
    where: Callable[[int], str],
    background: str = "auto",
    levels: str | None = None,
) -> Decode:
    """Decode image files: `source(i)` is a path or the file's bytes, which errors call `where(i)`. All
    headers are read before the first image is decoded, so that most mistakes cost a moment. `background`
    and `levels` override the choice by the images (see `Rendering`)."""
    ground = ... if background == "auto" else read_background(background)
    asked = None if levels is None else read_levels(levels)

    def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
        rows = [(source(i), where(i)) for i in indices.tolist()]
        places = [place for _, place in rows]
        headers = _headers(rows, places)
        grey = all(h.grey for h in headers)
        shapes = [(h.height, h.width) for h in headers]
        side, scaled = choose_side(name, shapes, places.__getitem__, size)
        height, width = (side, side) if side else shapes[0]
        # Before the array is allocated: Linux grants it, and ends the process once it is written to.
        check_memory(name, len(rows) * height * width * (1 if grey else 3))
        # One rendering for all, which is recorded: `predict` has to render an image that it sees alone.
        rendering, notes = _choose(name, rows, headers, ground, asked)
        inputs = np.empty((len(rows), height, width, 1 if grey else 3), np.uint8)

        def fill(row: int) -> None:
            inputs[row] = pixels(*rows[row], grey, (height, width), rendering, resize=side is not None)

        for_each(fill, places)
        remarks = (*scaled, *notes, *_mixture(name, headers, places), *_cut(name, headers))
        return Decoded(inputs, remarks, rendering.to_json())

    return decode


def _headers(rows: Sequence[tuple[Source, str]], places: Sequence[str]) -> list[Header]:
    """The headers of all files. Where one is broken, all images are decoded, so that one error names every
    broken image."""

    def decode(row: int) -> None:
        header(*rows[row])
        with open_image(*rows[row]) as image:
            image.load()

    try:
        return for_each(lambda row: header(*rows[row]), places)
    except DataError:
        for_each(decode, places)
        raise


def _choose(
    name: str,
    rows: Sequence[tuple[Source, str]],
    headers: Sequence[Header],
    ground: Colour | EllipsisType | None,
    levels: tuple[int, int] | None,
) -> tuple[Rendering, tuple[str, ...]]:
    """The rendering of all images, chosen by those that leave a choice, and sentences about it."""
    probed = [row for row, h in zip(rows, headers, strict=True) if h.probed]

    def look(row: int) -> Findings:
        with open_image(*probed[row]) as image:
            return examine(image)

    findings = for_each(look, [place for _, place in probed])
    background, notes = choose_background(name, findings, ground)
    scale, more = choose_levels(name, findings, not all(h.wide for h in headers), levels)
    return Rendering(background, scale), (*notes, *more)


def pixels(
    source: Source,
    where: str,
    grey: bool,
    shape: tuple[int, int],
    rendering: Rendering = UPRIGHT,
    resize: bool = True,
) -> NDArray[np.uint8]:
    """The decoded image, uint8 [height, width, 1 or 3]."""
    with open_image(source, where) as image:
        turn = TURNS.get(orientation(image))
        # A JPEG decodes at a half, a quarter or an eighth of its size for less. Twice the target leaves the
        # bilinear filter pixels to average.
        if resize:
            image.draft(None, (2 * max(shape), 2 * max(shape)))
        array = convert(image, grey, rendering)
    array = turn(array) if turn else array
    if array.shape[:2] != shape:
        if not resize:  # the array was allocated by what the headers announce
            raise DataError(f"{where}: the header announces another size than the pixels have: save it again")
        array = resize_images(array[None], *shape)[0]
    return array


def resize_images(inputs: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """[n, h, w, c] to [n, height, width, c], uint8 or float32, bilinear with antialiasing; squeezed
    where the proportions differ."""
    out = np.empty((len(inputs), height, width, inputs.shape[3]), inputs.dtype)
    # Channel by channel, since Pillow knows float32 only as images of one channel.
    for i, image in enumerate(inputs):
        for channel in range(image.shape[2]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            out[i, ..., channel] = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))
    return out


def convert(image: Image.Image, grey: bool, rendering: Rendering = UPRIGHT) -> NDArray[np.uint8]:
    """uint8 [height, width, 1 or 3]."""
    if is_wide(image):  # convert("L") would clip instead of scaling
        image = narrow(image, rendering.levels)
    if has_alpha(image):
        image = _lay_on(image, rendering.background)
    array: NDArray[np.uint8] = np.asarray(image.convert("L" if grey else "RGB"))
    return array[..., None] if grey else array


def _lay_on(image: Image.Image, background: Colour | None) -> Image.Image:
    """RGB, with transparent pixels over the background, or without regard to transparency."""
    image = image.convert("RGBA")
    if background is None:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image)


def _mixture(name: str, headers: Sequence[Header], where: Sequence[str]) -> tuple[str, ...]:
    grey = [place for h, place in zip(headers, where, strict=True) if h.grey]
    if not grey or len(grey) == len(headers):
        return ()
    return (
        f"{name}: {len(grey)} of {len(headers)} images are grey among colour images and were converted "
        f"to RGB (the first: {grey[0]}): remove them if they do not belong there",
    )


def _cut(name: str, headers: Sequence[Header]) -> tuple[str, ...]:
    count = sum(h.cut for h in headers)
    if not count:
        return ()
    return (
        f"{name}: {count} images have 16 bits a colour, of which the upper 8 are used: give them as an .npz "
        "of float32 arrays if the lower 8 matter",
    )
