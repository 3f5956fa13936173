"""`.npz` archives: arrays under the usual keys, or images as JPEG streams that share one header.

Nothing is unpickled, and the sizes that an archive claims are checked before it is unpacked.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError, did_you_mean
from cambrian.tasks.examples import PARTS, TEST, TRAIN, Examples
from cambrian.tasks.images.arrays import from_arrays
from cambrian.tasks.images.layouts import Form, Layout
from cambrian.tasks.limits import check_unpacked
from cambrian.tasks.phrases import list_names, reason
from cambrian.tasks.readers.jpeg import CODED, from_jpegs
from cambrian.tasks.reading import refuse_options
from cambrian.tasks.targets.labels import class_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUTS = ("images", "image", "x", "inputs", "input", "data", "features", "arr_0")
TARGETS = ("labels", "label", "y", "targets", "target", "arr_1")
NAMES = {"classes", "names", "class_names", "label_names", "target_names"}


@dataclass(frozen=True)
class Npz:
    """One archive with `x_train`, `y_train`, `x_test`, `y_test` (or images/labels, inputs/targets,
    train_images/train_labels, ...; the test part is optional), a training archive with a test archive
    beside it (`..._train.npz`, `..._test.npz`), or the folder that holds these two.

    `images` and `labels` are the names of the arrays; `column` chooses one of several labels; `layout` is
    channels-first or channels-last; `shape`, such as 28x28, makes images of rows; `names` are the names of
    the classes 0, 1, ..."""

    path: str
    images: str | None = None
    labels: str | None = None
    column: int | None = None
    layout: Layout | None = None
    shape: str | None = None
    names: tuple[str, ...] | None = None

    def examples(self) -> Examples:
        path = Path(self.path)
        files = _files(path)
        name = path.stem
        if set(members(files[TRAIN])) >= CODED and self.images is None:
            refuse_options(self, ("labels", "column", "layout", "shape"), "images that are coded as JPEG")
            coded = {part: (file, arrays(file, CODED)) for part, file in files.items()}
            return from_jpegs(name, coded, self.names)
        parts: dict[int, tuple[Any, Any]] = {}
        names = self.names
        notes = _remarks(path, files)
        for part, file in files.items():
            keys, left = self._keys(file)
            loaded = arrays(file, [key for pair in keys.values() for key in pair])
            # A file of several parts names them; in a file of one, the file's name says the part.
            for inner, (inputs, targets) in keys.items():
                parts[inner if len(keys) > 1 else part] = (loaded[inputs], loaded[targets])
            names = names or _names(file)
            notes += left
        form = Form(self.layout, self.shape, self.column)
        return from_arrays(name, parts, names, where=str(path), form=form, notes=notes)

    def _keys(self, file: Path) -> tuple[dict[int, tuple[str, str]], tuple[str, ...]]:
        """The keys of the inputs and targets of every part, by the options or by their usual names."""
        names = members(file)
        if self.images is None and self.labels is None:
            return find_keys(names, str(file))
        if self.images is None or self.labels is None:
            raise DataError(f"{file}: give both images= and labels=, the names of two of its arrays")
        for key in (self.images, self.labels):
            if key not in names:
                raise DataError(f"{file}: no array {key!r}{did_you_mean(key, names)}")
        return {TRAIN: (self.images, self.labels)}, ()


def is_npz_folder(path: Path) -> bool:
    return path.is_dir() and len(_train_files(path)) == 1


def members(path: Path) -> list[str]:
    """The names of the arrays in the archive."""
    with _archive(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def arrays(path: Path, keys: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays called `keys`, after a check that they are neither bombs nor pickles."""
    wanted = sorted(keys)
    with _archive(path) as archive:
        # From cheap to dear: the sizes in the directory, each array's header, and only then the data.
        infos = [archive.getinfo(f"{key}.npy") for key in wanted]
        check_unpacked(str(path), sum(i.compress_size for i in infos), sum(i.file_size for i in infos))
        for info in infos:
            _check_member(path, archive, info)
    try:
        with np.load(path, allow_pickle=False) as loaded:
            return {key: loaded[key] for key in wanted}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise _damage(path, error) from error


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # a byte that claims another version of zip, among others
        raise _damage(path, error) from error


def _damage(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a whole .npz archive ({reason(error)}): save it again with numpy.savez")


def _check_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    try:
        with archive.open(info) as file:
            version = np.lib.format.read_magic(file)
            header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = header(file)
            size = info.file_size - file.tell()
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise _damage(path, error) from error
    if dtype.hasobject:
        raise DataError(
            f"{path}: the array {info.filename.removesuffix('.npy')!r} holds Python objects, which would "
            "have to be unpickled: save numbers in one array of one shape and type"
        )
    # NumPy allocates by the header, and the bomb check went by the directory: both have to agree.
    if math.prod(shape) * dtype.itemsize != size:
        raise DataError(f"{path}: {info.filename} is not as long as it announces: save the archive again")


def _files(path: Path) -> dict[int, Path]:
    """The archive of each part."""
    if path.is_dir():
        path = _train_files(path)[0]
    files = {TRAIN: path}
    beside = path.with_name(re.sub("train", "test", path.name))
    if beside != path and beside.exists():
        files[TEST] = beside
    return files


def _train_files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.glob("*.npz")) if "train" in p.name]


def _remarks(path: Path, files: Mapping[int, Path]) -> tuple[str, ...]:
    if path.is_dir() or TEST not in files:
        return ()
    return (f"{path}: {files[TEST].name} beside it is taken as the test part: move it away if it is not",)


def find_keys(names: Sequence[str], where: str) -> tuple[dict[int, tuple[str, str]], tuple[str, ...]]:
    """For every part the keys of its inputs and targets, and a sentence about arrays that are left out."""
    pairs: dict[int, dict[str, str]] = {}
    for usual, role in ((INPUTS, "inputs"), (TARGETS, "targets")):
        for role_name in reversed(usual):  # of several, the first of `usual` stays
            for key in names:
                part, rest = _part_and_rest(key)
                if rest == role_name:
                    pairs.setdefault(part, {})[role] = key
    complete = {part: (p["inputs"], p["targets"]) for part, p in pairs.items() if len(p) == 2}
    if TRAIN not in complete:
        raise DataError(
            f"{where}: no images and labels among its arrays ({', '.join(names[:12]) or 'none'}): call them "
            "x_train and y_train (and x_test, y_test), or images and labels, or say which they are with "
            "images= and labels="
        )
    used = {key for pair in complete.values() for key in pair}
    left = [key for key in names if key not in used and key.lower() not in NAMES]
    notes = (f"{where}: the arrays {list_names(left)} are left out: images= and labels= choose others",)
    return dict(sorted(complete.items())), notes if left else ()


def _part_and_rest(key: str) -> tuple[int, str]:
    """The part that a key such as x_train is of, and the rest of the key."""
    # xTrain is x_train.
    words = re.sub("([a-z])([A-Z])", r"\1_\2", key).lower().split("_")
    part = next((PARTS[word] for word in words if word in PARTS), TRAIN)
    return part, "_".join(word for word in words if word not in PARTS)


def _names(path: Path) -> tuple[str, ...] | None:
    key = next((key for key in members(path) if key.lower() in NAMES), None)
    return None if key is None else class_names(arrays(path, [key])[key].ravel())
