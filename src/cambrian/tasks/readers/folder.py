"""A folder of class folders of images, perhaps inside train/, val/ and test/.

Links that lead out of the folder are refused: what is read must lie where the user pointed to. Files
whose suffix is not an image's, and hidden ones, are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import PARTS, TRAIN, Examples
from cambrian.tasks.images import SUFFIXES, decode_files
from cambrian.tasks.phrases import short


@dataclass(frozen=True)
class Folder:
    path: str

    def examples(self) -> Examples:
        root = Path(self.path)
        files: list[Path] = []
        classes: list[str] = []
        marks: list[int] = []
        for part, folder in _parts(root):
            for name, found in _classes(folder, root):
                files += found
                classes += [name] * len(found)
                marks += [part] * len(found)
        labels = sorted(set(classes))
        number = {name: i for i, name in enumerate(labels)}
        decode = decode_files(root.name, files.__getitem__, lambda i: str(files[i]))
        targets = np.array([number[name] for name in classes], np.int64)
        return Examples(
            root.resolve().name, targets, tuple(map(_text, labels)), np.array(marks, np.int8), decode
        )


def _parts(root: Path) -> list[tuple[int, Path]]:
    """Part folders where all subfolders are named so and train is among them, else the root itself."""
    folders = [entry for entry in _entries(root) if entry.is_dir()]
    parts = {PARTS.get(entry.name.lower()): root / entry.name for entry in folders}
    if TRAIN not in parts or None in parts or len(parts) < len(folders):
        return [(TRAIN, root)]
    for entry in folders:
        _within(entry, root.resolve())
    return [(part, folder) for part, folder in sorted(parts.items()) if part is not None]


def _classes(folder: Path, root: Path) -> Iterator[tuple[str, list[Path]]]:
    """The class folders by name, each with its images."""
    entries = _entries(folder)
    class_folders = [entry for entry in entries if entry.is_dir()]
    if not class_folders:
        loose = any(map(_is_image, entries))
        raise DataError(
            f"{folder}: {'holds images but no class folders' if loose else 'the folder is empty'}: "
            "put the images of each class into a folder named after the class"
        )
    inside = root.resolve()
    for entry in class_folders:
        images = sorted(_images(entry, inside))
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


def _images(entry: os.DirEntry[str], root: Path) -> Iterator[Path]:
    _within(entry, root)
    for inner in _entries(Path(entry.path)):
        if inner.is_dir(follow_symlinks=False):
            yield from _images(inner, root)
        elif _is_image(inner):
            _within(inner, root)
            yield Path(inner.path)


def _within(entry: os.DirEntry[str], root: Path) -> None:
    if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
        raise DataError(
            f"{entry.path}: a link that leads out of the folder, to {os.path.realpath(entry.path)}: "
            "copy the images in, or remove the link"
        )


def _is_image(entry: os.DirEntry[str]) -> bool:
    return os.path.splitext(entry.name)[1].lower() in SUFFIXES and entry.is_file()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}): check its permissions") from error


def _text(name: str) -> str:
    """The name as text that can be printed, whatever bytes the file system has."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
