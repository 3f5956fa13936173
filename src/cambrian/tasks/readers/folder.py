"""A folder of class folders of images, perhaps inside train/, val/ and test/.

Links that lead out of the folder are refused: what is read must lie where the user pointed to. Files that are
no images are passed over and counted, hidden ones are passed over.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.arrays import with_notes
from cambrian.tasks.examples import Examples
from cambrian.tasks.images import SUFFIXES, decode_files, is_image
from cambrian.tasks.phrases import short
from cambrian.tasks.readers.folder_parts import find_parts


@dataclass(frozen=True)
class Folder:
    """`parts` says whether folders called train, val or test are parts of the data (yes), classes (no), or
    what they look like (auto). `background` is what transparent parts are laid on, `levels` the values of
    16-bit images that become black and white, such as 0-4095."""

    path: str
    parts: Literal["auto", "yes", "no"] = "auto"
    background: Literal["auto", "white", "black"] = "auto"
    levels: str | None = None

    def examples(self) -> Examples:
        root = Path(self.path)
        files: list[Path] = []
        classes: list[str] = []
        marks: list[int] = []
        left_out: Counter[str] = Counter()
        folders = [Path(entry.path) for entry in _entries(root) if entry.is_dir()]
        found = find_parts(root, folders, _has_images, self.parts)
        for part, folder in found.parts:
            _check_link(folder, root)
            for name, images in _classes(folder, root, found.passed, left_out):
                files += images
                classes += [name] * len(images)
                marks += [part] * len(images)
        labels = sorted(set(classes))
        number = {name: i for i, name in enumerate(labels)}
        decode = decode_files(
            root.name, files.__getitem__, lambda i: str(files[i]), self.background, self.levels
        )
        notes = (*found.notes, *_passed_over(root, left_out))
        return Examples(
            root.resolve().name,
            np.array([number[name] for name in classes], np.int64),
            tuple(map(_text, labels)),
            np.array(marks, np.int8),
            with_notes(decode, notes),
        )


def _passed_over(root: Path, left_out: Counter[str]) -> list[str]:
    """How many files were left out, by their endings."""
    if not left_out:
        return []
    kinds = ", ".join(f"{count} {ending or 'without an ending'}" for ending, count in left_out.most_common(5))
    return [f"{root}: {left_out.total()} files that are no images were passed over ({kinds})"]


def _check_link(folder: Path, root: Path) -> None:
    if folder != root:
        with os.scandir(folder.parent) as entries:
            for entry in entries:
                if entry.name == folder.name:
                    _within(entry, root.resolve())


def _has_images(folder: Path) -> bool:
    return any(_is_image(entry) for entry in _entries(folder))


def _classes(
    folder: Path, root: Path, passed: Sequence[Path], left_out: Counter[str]
) -> Iterator[tuple[str, list[Path]]]:
    """The class folders by name, each with its images; endings of other files are counted."""
    entries = _entries(folder)
    class_folders = [entry for entry in entries if entry.is_dir() and Path(entry.path) not in passed]
    if not class_folders:
        loose = any(map(_is_image, entries))
        raise DataError(
            f"{folder}: {'holds images but no class folders' if loose else 'the folder is empty'}: "
            "put the images of each class into a folder named after the class"
        )
    inside = root.resolve()
    for entry in class_folders:
        images = sorted(_images(entry, inside, left_out))
        if not images:
            raise DataError(
                f"{entry.path}: the class folder holds no images ({', '.join(sorted(SUFFIXES))}): "
                "fill it or remove it"
            )
        if len(class_folders) == 1:
            raise DataError(_only_class(entry, folder))
        yield entry.name, images


def _only_class(entry: os.DirEntry[str], folder: Path) -> str:
    deeper = any(inner.is_dir() for inner in _entries(Path(entry.path)))
    hint = f"; did you mean {entry.path}?" if deeper else ""
    return (
        f"{folder}: there is only one class folder, {short(entry.name)}: "
        f"a classifier needs at least two{hint}"
    )


def _images(entry: os.DirEntry[str], root: Path, left_out: Counter[str]) -> Iterator[Path]:
    _within(entry, root)
    for inner in _entries(Path(entry.path)):
        if inner.is_dir(follow_symlinks=False):
            yield from _images(inner, root, left_out)
        elif _is_image(inner):
            _within(inner, root)
            yield Path(inner.path)
        elif inner.name.lower() not in ("thumbs.db", "desktop.ini"):
            left_out[os.path.splitext(inner.name)[1].lower()] += 1


def _within(entry: os.DirEntry[str], root: Path) -> None:
    if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
        raise DataError(
            f"{entry.path}: a link that leads out of the folder, to {os.path.realpath(entry.path)}: "
            "copy the images in, or remove the link"
        )


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and is_image(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}): check its permissions") from error


def _text(name: str) -> str:
    """The name as text that can be printed, whatever bytes the file system has."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
