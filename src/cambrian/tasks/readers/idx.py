"""IDX files, the format of MNIST (LeCun, Cortes & Burges, "The MNIST database of handwritten digits"):
four bytes (0, 0, type, dimensions), one big-endian uint32 per dimension, then the values. Plain or gzip.

Fashion-MNIST: Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a novel image dataset".
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import PARTS, TRAIN, Examples
from cambrian.tasks.images.arrays import from_arrays
from cambrian.tasks.images.layouts import Form, Layout
from cambrian.tasks.limits import check_unpacked
from cambrian.tasks.phrases import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES = re.compile(r"(?P<stem>.*?)[-.]?images[-.]idx[34]-ubyte(?P<gz>\.gz)?", re.IGNORECASE)
UNSIGNED_BYTE = 0x08


@dataclass(frozen=True)
class Idx:
    """A folder of `train-images-idx3-ubyte[.gz]`, `train-labels-idx1-ubyte[.gz]` and perhaps `t10k-...`
    or `test-...` files; or, where a folder holds several data sets, one of the training image files.
    `names` are the names of the classes 0, 1, ...; `layout` is channels-first or channels-last."""

    path: str
    names: tuple[str, ...] | None = None
    layout: Layout | None = None

    def examples(self) -> Examples:
        path = Path(self.path)
        files = {part: (images, _labels_of(images)) for part, images in _parts(path).items()}
        if TRAIN not in files:
            raise DataError(f"{path}: there is a test part but no train-images-idx3-ubyte file")
        parts = {part: (read(images), read(labels)) for part, (images, labels) in files.items()}
        return from_arrays(path.name, parts, self.names, str(path), Form(self.layout))


@dataclass(frozen=True)
class FashionMnist:
    """70,000 grey images of 28 x 28 in ten classes, as the Debian package has them."""

    path: str = "/usr/share/datasets/fashion-mnist"

    def examples(self) -> Examples:
        if not is_idx(Path(self.path)):
            raise DataError(
                f"Fashion-MNIST is not at {self.path}: apt-get install dataset-fashion-mnist, "
                "or give the folder that holds its IDX files"
            )
        idx = Idx(self.path, LABELS).examples()
        return Examples("fashion-mnist", idx.targets, idx.labels, idx.parts, idx.decode)


# In the order of the paper's Table 2.
LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def is_idx(path: Path) -> bool:
    """Whether `path` is an IDX file of images, or a folder that holds one."""
    if path.is_dir():
        return any(IMAGES.fullmatch(p.name) for p in path.iterdir())
    return IMAGES.fullmatch(path.name) is not None


def read(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes."""
    try:
        with _open(path) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE or not 1 <= magic[3] <= 4:
                raise DataError(
                    f"{path}: not an IDX file of unsigned bytes: it begins with "
                    f"{magic.hex(' ') or 'nothing'}, expected 00 00 08 and the number of dimensions"
                )
            shape = struct.unpack(f">{magic[3]}I", file.read(4 * magic[3]))
            size = math.prod(shape)
            # The header may claim any size: it is checked before as much is allocated.
            check_unpacked(str(path), path.stat().st_size, size)
            values = file.read(size)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{path}: cannot be read ({reason(error)}): fetch the file again") from error
    if len(values) < size:
        raise DataError(
            f"{path}: truncated: {len(values):,} bytes where {size:,} are announced: fetch the file again"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _parts(path: Path) -> dict[int, Path]:
    """The image file of each part."""
    if path.is_dir():
        files = [p for p in sorted(path.iterdir()) if IMAGES.fullmatch(p.name)]
    else:
        files = [p for p in sorted(path.parent.iterdir()) if _family(p) == _family(path)]
    parts: dict[int, Path] = {}
    for file in files:  # sorted: a plain file comes before its .gz, and is preferred
        part = _part(file)
        if part not in parts:
            parts[part] = file
        elif parts[part].name != file.name.removesuffix(".gz"):
            raise DataError(
                f"{path}: holds several data sets ({parts[part].name}, {file.name}): "
                "give the image file of one"
            )
    return parts


def _words(path: Path) -> list[str]:
    match = IMAGES.fullmatch(path.name)
    return re.split(r"[-_.]", match["stem"].lower()) if match else []


def _part(path: Path) -> int:
    return next((PARTS[word] for word in _words(path) if word in PARTS), TRAIN)


def _family(path: Path) -> tuple[str, ...] | None:
    """The common part of the names of a data set's files: the stem without the part's name."""
    if not IMAGES.fullmatch(path.name):
        return None
    return tuple(word for word in _words(path) if word not in PARTS)


def _labels_of(images: Path) -> Path:
    name = re.sub("images", "labels", images.name, flags=re.IGNORECASE)
    name = re.sub(r"idx[34]", "idx1", name, flags=re.IGNORECASE).removesuffix(".gz")
    # Images and labels may be packed differently.
    labels = _existing([images.with_name(name), images.with_name(f"{name}.gz")])
    if labels is None:
        raise DataError(f"{images}: its labels are missing: expected {name} or {name}.gz beside it")
    return labels


def _existing(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.exists()), None)
