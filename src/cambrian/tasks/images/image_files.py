"""Image files: the formats that are read, their headers, and every error as one sentence."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from cambrian.errors import DataError
from cambrian.tasks.images.survey import has_alpha
from cambrian.tasks.images.wide_images import has_grey, is_cut, is_wide, open_again
from cambrian.tasks.phrases import reason

# Pillow has some forty readers: the others are never tried on a file of the user's.
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000  # of one image: a photograph fits, a decompression bomb does not
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}
TURNED = {5, 6, 7, 8}  # orientations that swap height and width
# Keys under which Pillow keeps metadata that may hold an orientation.
ORIENTED = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
LISTED = 5  # broken images that an error names besides the first

Source = Path | bytes


@dataclass(frozen=True)
class Header:
    """`probed` where only the pixels tell how they should be treated, `cut` where colours have 16 bits."""

    height: int
    width: int
    grey: bool
    wide: bool
    probed: bool
    cut: bool


def header(source: Source, where: str) -> Header:
    """Read the header, without decoding the pixels."""
    with open_image(source, where) as image:
        _check(image, where)
        wide, grey = is_wide(image), image.mode in GREY or has_grey(image)
        probed, cut = wide or has_alpha(image), is_cut(image)
        width, height = image.size[::-1] if _is_turned(image) else image.size
        return Header(height, width, grey, wide, probed, cut)


def orientation(image: Image.Image) -> int:
    """1 to 8 as EXIF or XMP has it. A TIFF is turned by Pillow itself, as its pixels are decoded."""
    if image.format == "TIFF":
        return 1
    if _says_late(image):
        with open_again(image) as again:
            return _orientation(again)  # which decodes it
    return _orientation(image) if any(name in image.info for name in ORIENTED) else 1


def _orientation(image: Image.Image) -> int:
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def _is_turned(image: Image.Image) -> bool:
    """Whether height and width, as they are known before the pixels are decoded, change places."""
    if image.format != "TIFF":
        return orientation(image) in TURNED
    tags = getattr(image, "tag_v2", {})  # by the TIFF's own tag, Pillow has swapped them already
    return ExifTags.Base.Orientation not in tags and _orientation(image) in TURNED


def _says_late(image: Image.Image) -> bool:
    """Whether a PNG says something behind its pixels that may be the orientation: tools append it there."""
    if not (isinstance(image, PngImagePlugin.PngImageFile) and image.fp):
        return False
    file, place = image.fp, image.fp.tell()
    file.seek(8)  # past the signature
    # A chunk is its length, its name, its data and a checksum of four bytes (PNG specification, 5.3).
    late, behind = False, False
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND" and not late:
        behind |= head[4:] == b"IDAT"
        late = behind and head[4:] in (b"eXIf", b"iTXt")
        file.seek(int.from_bytes(head[:4]) + 4, 1)
    file.seek(place)  # where Pillow will go on reading
    return late


@contextmanager
def open_image(source: Source, where: str) -> Iterator[Image.Image]:
    """The image; whatever its decoding raises becomes one sentence. Pillow's plugins raise nearly
    anything on damaged files (OSError, SyntaxError, struct.error, ...), hence the wide net."""
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as image:
            yield image
    except DataError:  # raised by the caller's block, and a sentence already
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
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings: broken metadata does not matter here, and sizes are checked by `header`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def refuse_broken(errors: Sequence[DataError], places: Sequence[str], noun: str = "images") -> DataError:
    """One error for all broken files: the first in full, the others by name."""
    if len(errors) == 1:
        return errors[0]
    # Of a long name the end tells the images apart: it holds the number.
    names = list(dict.fromkeys(Path(place.partition(": ")[0]).name[-40:] for place in places[1:]))
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    others = f"{', '.join(names[:LISTED])}{more}"
    return DataError(f"{errors[0]} ({len(errors)} {noun} in all cannot be read; also in {others})")


def _check(image: Image.Image, where: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{where}: {width} x {height} is too big an image: scale it down to {MAX_PIXELS:,} pixels or less"
        )
    # A phone's MPO holds the picture and previews of it: its first frame is the picture.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise DataError(
            f"{where}: an animated or multi-page image ({image.format}): keep one frame, or remove it"
        )
    if image.mode == "F":
        raise DataError(f"{where}: an image of floats: give such data as an .npz of float32 arrays")
