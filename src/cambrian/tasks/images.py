"""Image files to arrays. Training data and `cambrian predict` are decoded here, the same way.

Conventions: the orientation that EXIF or XMP tells is applied; one grey channel where every image is grey,
else RGB; 16-bit grey and transparency become bytes as `rendering` says, by one rule for all images of a data
set; palettes, CMYK and the rest are Pillow's conversion.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cambrian.errors import DataError
from cambrian.tasks.examples import Decode, Decoded
from cambrian.tasks.limits import check_memory
from cambrian.tasks.phrases import reason
from cambrian.tasks.rendering import (
    GROUNDS,
    LIGHT,
    Rendering,
    choose_levels,
    has_alpha,
    ink_of,
    parse_levels,
    range_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".dib",
    ".pnm",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".apng",
}
MAX_PIXELS = 64_000_000  # of one image; what a camera makes fits, a decompression bomb does not
BLOCK = 256  # images per piece of work handed to a thread
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}
TURNED = {5, 6, 7, 8}  # orientations that swap height and width
ORIENTED = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")  # what may hold an orientation
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
SAMPLED = 200  # transparent images that are looked at to choose what they are laid on

Source = Path | bytes


@dataclass(frozen=True)
class Header:
    height: int
    width: int
    grey: bool
    wide: bool = False
    alpha: bool = False


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
    inputs = np.empty((len(paths), height, width, channels), np.uint8)
    with _quiet():
        for i, path in enumerate(map(Path, paths)):
            header(path, str(path))
            inputs[i] = pixels(path, str(path), channels == 1, (height, width), rendering or Rendering())
    return inputs


def decode_files(
    name: str,
    source: Callable[[int], Source],
    where: Callable[[int], str],
    background: str = "auto",
    levels: str | None = None,
) -> Decode:
    """Decode image files: `source(i)` is a path or the file's bytes, which errors call `where(i)`. All
    headers are read before the first image is decoded, so that most mistakes cost a moment. `background` and
    `levels` (LOW-HIGH) say how transparency and 16-bit images become bytes, which else the images tell."""

    def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
        rows = [(source(i), where(i)) for i in indices.tolist()]
        headers: list[Header] = _run_threaded(lambda row: header(*rows[row]), len(rows))
        grey = all(h.grey for h in headers)
        places = [place for _, place in rows]
        height, width = (size, size) if size else _common(headers, places)
        check_memory(name, len(rows) * height * width * (1 if grey else 3))
        rendering, notes = _rendering(name, rows, headers, background, levels)
        inputs = np.empty((len(rows), height, width, 1 if grey else 3), np.uint8)

        def fill(row: int) -> None:
            inputs[row] = pixels(*rows[row], grey, (height, width), rendering, resize=size is not None)

        _run_threaded(fill, len(rows))
        return Decoded(inputs, (*_mixture(name, headers, places), *notes), msgspec.to_builtins(rendering))

    return decode


def _rendering(
    name: str,
    rows: Sequence[tuple[Source, str]],
    headers: Sequence[Header],
    background: str,
    levels: str | None,
) -> tuple[Rendering, list[str]]:
    """How these images become bytes, and what is said of it."""
    clear = [row for row, head in zip(rows, headers) if head.alpha]
    wide = [row for row, head in zip(rows, headers) if head.wide]
    ground, notes = _ground(name, clear, background)
    black, white = parse_levels(levels) if levels else (0, 65535)
    if wide and not levels:
        ranges = _run_threaded(lambda row: _looked_at(wide[row], range_of), len(wide))
        black, white = choose_levels(ranges)
        notes.append(
            f"{name}: of {len(wide)} images of 16 bits, whose values are {min(a for a, _ in ranges)} to "
            f"{max(b for _, b in ranges)}, the values {black} to {white} became 0 to 255: levels=LOW-HIGH "
            "says otherwise"
        )
    return Rendering(ground, black, white), notes


def _ground(name: str, clear: Sequence[tuple[Source, str]], background: str) -> tuple[int, list[str]]:
    """What transparent parts are laid on: white, as viewers do, or black where the ink is light."""
    if background in GROUNDS or not clear:
        return GROUNDS.get(background, 255), []
    step = -(-len(clear) // SAMPLED)
    inks = _run_threaded(lambda row: _looked_at(clear[row * step], ink_of), len(clear[::step]))
    shown = [grey for transparent, grey in inks if transparent > 0]
    if not shown:
        return GROUNDS["white"], []
    chosen = "black" if sum(shown) / len(shown) > LIGHT else "white"
    other = "white" if chosen == "black" else "black"
    return GROUNDS[chosen], [
        f"{name}: {len(clear)} images may have transparent parts, which were laid on {chosen}: "
        f"background={other} says otherwise"
    ]


def _looked_at(row: tuple[Source, str], look: Callable[[Image.Image], Any]) -> Any:
    with _open_image(*row) as image:
        return look(image)


def _run_threaded(work: Callable[[int], Any], count: int) -> list[Any]:
    """`[work(0), ..., work(count - 1)]` on two threads, since Pillow decodes without the GIL. All files that
    cannot be read are named in one sentence."""

    def attempt(i: int) -> Any:
        try:
            return work(i)
        except DataError as error:
            return error

    def block(start: int) -> list[Any]:
        return [attempt(i) for i in range(start, min(start + BLOCK, count))]

    with _quiet(), ThreadPoolExecutor(2) as pool:
        done = [result for results in pool.map(block, range(0, count, BLOCK)) for result in results]
    errors = [result for result in done if isinstance(result, DataError)]
    if errors:
        raise _together(errors)
    return done


def _together(errors: Sequence[DataError], most: int = 5) -> DataError:
    """The first error, and which other files have one."""
    if len(errors) == 1:
        return errors[0]
    names = list(dict.fromkeys(Path(str(error).partition(": ")[0]).name[-40:] for error in errors[1:]))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    others = f"{', '.join(names[:most])}{more}"
    return DataError(f"{errors[0]} ({len(errors)} images in all cannot be read; also in {others})")


def is_image(path: str | Path) -> bool:
    """Whether a file is an image, by its ending, or where that says nothing by its first bytes."""
    if os.path.splitext(path)[1].lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(MAGIC) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def header(source: Source, where: str) -> Header:
    """What the header says, without decoding the pixels."""
    with _open_image(source, where) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise DataError(
                f"{where}: {width} x {height} is too big an image: scale it down to "
                f"{MAX_PIXELS:,} pixels or less"
            )
        # A phone's MPO holds the picture and previews of it: its first frame is the picture.
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise DataError(
                f"{where}: an animated or multi-page image ({image.format}): keep one frame, or remove it"
            )
        if image.mode == "F":
            raise DataError(f"{where}: an image of floats: give such data as an .npz of float32 arrays")
        oriented = any(key in image.info for key in ORIENTED)
        turned = oriented and image.getexif().get(0x0112) in TURNED
        height, width = (width, height) if turned else (height, width)
        return Header(height, width, image.mode in GREY, image.mode.startswith("I"), has_alpha(image))


def pixels(
    source: Source,
    where: str,
    grey: bool,
    shape: tuple[int, int],
    rendering: Rendering,
    resize: bool = True,
) -> NDArray[np.uint8]:
    """The decoded image, uint8 [height, width, 1 or 3]."""
    with _open_image(source, where) as image:
        if resize:  # a JPEG decodes at a half, a quarter or an eighth of its size for less
            image.draft(None, (2 * max(shape), 2 * max(shape)))
        array = convert(ImageOps.exif_transpose(image), grey, rendering)
    if array.shape[:2] != shape:
        if not resize:
            raise _differs(where, array.shape[:2], "the others", shape, min(shape))
        array = resize_images(array[None], *shape)[0]
    return array


def resize_images(inputs: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """[n, h, w, c] to [n, height, width, c], uint8 or float32, bilinear with antialiasing; squeezed
    where the proportions differ."""
    out = np.empty((len(inputs), height, width, inputs.shape[3]), inputs.dtype)
    for i, image in enumerate(inputs):
        for channel in range(image.shape[2]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            out[i, ..., channel] = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))
    return out


def convert(image: Image.Image, grey: bool, rendering: Rendering | None = None) -> NDArray[np.uint8]:
    """uint8 [height, width, 1 or 3]."""
    rendering = rendering or Rendering()
    if image.mode.startswith("I"):  # 16-bit grey, which convert("L") would clip instead of scaling
        plane = rendering.levels(np.asarray(image))[..., None]
        return plane if grey else np.repeat(plane, 3, axis=2)
    array = np.asarray(rendering.lay(image).convert("L" if grey else "RGB"))
    return array[..., None] if grey else array


@contextmanager
def _open_image(source: Source, where: str) -> Iterator[Image.Image]:
    """The image, with whatever its decoding raises as one sentence. Pillow's plugins raise nearly
    anything on damaged files (OSError, SyntaxError, struct.error, ...), hence the wide net."""
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as image:
            yield image
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{where}: no such image file") from error
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{where}: too big an image: scale it down to {MAX_PIXELS:,} pixels or less"
        ) from error
    except Exception as error:
        unknown = isinstance(error, UnidentifiedImageError)
        why = "not an image of a known format" if unknown else reason(error)
        raise DataError(f"{where}: a corrupt or truncated image ({why}): replace or remove it") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of broken metadata and of sizes, which are of no concern here or checked above."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _common(headers: Sequence[Header], where: Sequence[str]) -> tuple[int, int]:
    """The size of all images. Where one differs, the sentence proposes the usual size."""
    sizes = Counter((head.height, head.width) for head in headers)
    usual, _ = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return usual
    sides = sorted(min(head.height, head.width) for head in headers)
    most_alike = 2 * sizes[usual] > len(headers)
    side = min(usual) if most_alike else max(1, sides[len(sides) // 2])
    for head, place in zip(headers, where, strict=True):
        if (head.height, head.width) != usual:
            other = where[next(i for i, h in enumerate(headers) if (h.height, h.width) == usual)]
            raise _differs(place, (head.height, head.width), other, usual, side)
    return usual


def _differs(
    where: str, shape: tuple[int, ...], other: str, expected: tuple[int, int], side: int
) -> DataError:
    return DataError(
        f"{where}: {shape[1]} x {shape[0]} pixels, but {expected[1]} x {expected[0]} in {other}: "
        f"bring all images to one size with size={side} (--size {side}), or remove it"
    )


def _mixture(name: str, headers: Sequence[Header], where: Sequence[str]) -> tuple[str, ...]:
    grey = [place for h, place in zip(headers, where, strict=True) if h.grey]
    if not grey or len(grey) == len(headers):
        return ()
    return (
        f"{name}: {len(grey)} of {len(headers)} images are grey among colour images and were converted "
        f"to RGB (the first: {grey[0]}): remove them if they do not belong there",
    )
