"""Image files to arrays. Training data and `cambrian predict` are decoded here, the same way.

Conventions: the EXIF orientation is applied; one grey channel where every image is grey, else RGB; 16-bit
grey is scaled to 8 bits; transparency is dropped; palettes, CMYK and the rest are Pillow's conversion.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cambrian.errors import DataError
from cambrian.tasks.examples import Decode
from cambrian.tasks.limits import check_memory
from cambrian.tasks.phrases import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
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
TURNED = {5, 6, 7, 8}  # EXIF orientations that swap height and width

Source = Path | bytes


@dataclass(frozen=True)
class Header:
    height: int
    width: int
    grey: bool


def read_images(paths: Sequence[str | Path], channels: int, height: int, width: int) -> NDArray[np.uint8]:
    """The image files as uint8 [n, height, width, channels]; `channels` is 1 (grey) or 3 (RGB)."""
    if channels not in (1, 3):
        raise DataError(f"image files have 1 or 3 channels, but {channels} are expected here")
    inputs = np.empty((len(paths), height, width, channels), np.uint8)
    with _quiet():
        for i, path in enumerate(map(Path, paths)):
            header(path, str(path))
            inputs[i] = pixels(path, str(path), channels == 1, (height, width))
    return inputs


def decode_files(name: str, source: Callable[[int], Source], where: Callable[[int], str]) -> Decode:
    """Decode image files: `source(i)` is a path or the file's bytes, which errors call `where(i)`. All
    headers are read before the first image is decoded, so that most mistakes cost a moment."""

    def decode(indices: NDArray[np.int64], size: int | None) -> tuple[NDArray[Any], tuple[str, ...]]:
        rows = [(source(i), where(i)) for i in indices.tolist()]
        headers = _threaded(lambda row: header(*rows[row]), len(rows))
        grey = all(h.grey for h in headers)
        places = [place for _, place in rows]
        height, width = (size, size) if size else _common(headers, places)
        check_memory(name, len(rows) * height * width * (1 if grey else 3))
        inputs = np.empty((len(rows), height, width, 1 if grey else 3), np.uint8)

        def fill(row: int) -> None:
            inputs[row] = pixels(*rows[row], grey, (height, width), resize=size is not None)

        _threaded(fill, len(rows))
        return inputs, _mixture(name, headers, places)

    return decode


def _threaded(work: Callable[[int], Any], count: int) -> list[Any]:
    """`[work(0), ..., work(count - 1)]` on two threads, since Pillow decodes without the GIL. Of several
    errors the first in order is raised."""

    def block(start: int) -> list[Any]:
        return [work(i) for i in range(start, min(start + BLOCK, count))]

    with _quiet(), ThreadPoolExecutor(2) as pool:
        try:
            return [result for results in pool.map(block, range(0, count, BLOCK)) for result in results]
        except BaseException:
            pool.shutdown(cancel_futures=True)  # do not go on decoding after an error
            raise


def header(source: Source, where: str) -> Header:
    """What the header says, without decoding the pixels."""
    with _opened(source, where) as image:
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
        turned = "exif" in image.info and image.getexif().get(0x0112) in TURNED
        height, width = (width, height) if turned else (height, width)
        return Header(height, width, image.mode in GREY)


def pixels(
    source: Source, where: str, grey: bool, shape: tuple[int, int], resize: bool = True
) -> NDArray[np.uint8]:
    """The decoded image, uint8 [height, width, 1 or 3]."""
    with _opened(source, where) as image:
        if resize:  # a JPEG decodes at a half, a quarter or an eighth of its size for less
            image.draft(None, (2 * max(shape), 2 * max(shape)))
        array = converted(ImageOps.exif_transpose(image), grey)
    if array.shape[:2] != shape:
        if not resize:
            raise _differs(where, array.shape[:2], "the others", shape)
        array = resized(array[None], *shape)[0]
    return array


def resized(inputs: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """[n, h, w, c] to [n, height, width, c], uint8 or float32, bilinear with antialiasing; squeezed
    where the proportions differ."""
    out = np.empty((len(inputs), height, width, inputs.shape[3]), inputs.dtype)
    for i, image in enumerate(inputs):
        for channel in range(image.shape[2]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            out[i, ..., channel] = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))
    return out


def converted(image: Image.Image, grey: bool) -> NDArray[np.uint8]:
    """uint8 [height, width, 1 or 3]."""
    if image.mode.startswith("I"):  # 16-bit grey, which convert("L") would clip instead of scaling
        wide = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        plane = ((wide + 128) // 257).astype(np.uint8)[..., None]
        return plane if grey else np.repeat(plane, 3, axis=2)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # as Pillow asks for
    array = np.asarray(image.convert("L" if grey else "RGB"))
    return array[..., None] if grey else array


@contextmanager
def _opened(source: Source, where: str) -> Iterator[Image.Image]:
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
    first = headers[0]
    for other, place in zip(headers, where, strict=True):
        if (other.height, other.width) != (first.height, first.width):
            raise _differs(place, (other.height, other.width), where[0], (first.height, first.width))
    return first.height, first.width


def _differs(where: str, shape: tuple[int, ...], other: str, expected: tuple[int, int]) -> DataError:
    side = min(*shape, *expected)
    return DataError(
        f"{where}: {shape[1]} x {shape[0]} pixels, but {expected[1]} x {expected[0]} in {other}: "
        f"bring all images to one size with size={side} (--size {side})"
    )


def _mixture(name: str, headers: Sequence[Header], where: Sequence[str]) -> tuple[str, ...]:
    grey = [place for h, place in zip(headers, where, strict=True) if h.grey]
    if not grey or len(grey) == len(headers):
        return ()
    return (
        f"{name}: {len(grey)} of {len(headers)} images are grey among colour images and were converted "
        f"to RGB (the first: {grey[0]}): remove them if they do not belong there",
    )
