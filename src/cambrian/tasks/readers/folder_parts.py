"""Which folders of a data set are its parts, which its classes, and which neither.

A folder called `train` that holds folders of images is a part, whatever lies beside it; one that holds images
itself, beside others that do, is a class (vehicles: train, bus, car).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cambrian.errors import DataError
from cambrian.tasks.examples import PARTS, TRAIN
from cambrian.tasks.phrases import listed

WORDS = r"(set|sets|data|dataset|images|image|imgs|img|split|part|folder|samples|[0-9]+)"
PASSED = {
    "lost+found",
    "@eadir",
    "#recycle",
    "__macosx",
    "$recycle.bin",
    "system volume information",
    "__pycache__",
    "annotations",
    "annotation",
    "annots",
    "metadata",
    "meta",
    "docs",
    "doc",
    "logs",
    "cache",
}
"""Folders of file systems and tools, which hold no class."""


@dataclass(frozen=True)
class Found:
    """`parts` are pairs of a part and its folder, or (TRAIN, root) where there are none; `passed` are folders
    of the root that are no classes; `notes` say what was guessed."""

    parts: tuple[tuple[int, Path], ...]
    passed: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def part_of(name: str) -> int | None:
    """The part that a folder's name tells, None where it tells none.

    >>> [part_of(name) for name in ("train", "Training_Set", "val-images", "dev", "test1", "trainers")]
    [0, 0, 1, 1, 2, None]
    """
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    joined = "".join(word for word in words if not re.fullmatch(WORDS, word)) or name.lower()
    if joined in PARTS:
        return PARTS[joined]
    shorter = re.sub(WORDS + "$", "", joined)
    return PARTS.get(re.sub(f"^{WORDS}", "", shorter), PARTS.get(shorter))


def find_parts(
    root: Path, folders: Sequence[Path], has_images: Callable[[Path], bool], parts: str = "auto"
) -> Found:
    """Among the `folders` of `root`; `has_images` tells whether a folder holds images itself. Raises
    DataError where a folder is in the way of a clear answer."""
    named = {folder: part_of(folder.name) for folder in folders}
    if parts == "no":
        return _classes(root, folders, {}, has_images)
    train = [f for f, part in named.items() if part == TRAIN and (parts == "yes" or not has_images(f))]
    if not train:
        return _classes(root, folders, named, has_images)
    if len(train) > 1:
        raise DataError(f"{root}: {listed([f.name for f in train])} are all called a training part: keep one")
    return _parts(root, folders, named, has_images, parts)


def _parts(
    root: Path,
    folders: Sequence[Path],
    named: dict[Path, int | None],
    has_images: Callable[[Path], bool],
    parts: str,
) -> Found:
    chosen: dict[int, Path] = {}
    passed: list[Path] = []
    notes: list[str] = []
    for folder in folders:
        part = named[folder]
        if part is None:
            if parts == "auto" and folder.name.lower() not in PASSED and not any(folder.iterdir()):
                raise DataError(
                    f"{folder}: an empty folder beside the parts of the data: remove it, or give parts=yes "
                    "to pass over all that is no part"
                )
            passed.append(folder)
        elif part in chosen:
            raise DataError(f"{root}: {chosen[part].name!r} and {folder.name!r} are the same part: keep one")
        elif part != TRAIN and has_images(folder) and not _holds_folders(folder):
            notes.append(
                f"{folder}: its images are in no class folders, so that nobody can say whether a network is "
                "right about them: passed over"
            )
        else:
            chosen[part] = folder
    if passed:
        names = listed([folder.name for folder in passed])
        notes.append(f"{root}: beside the parts {names} passed over: parts=no takes every folder as a class")
    return Found(tuple(sorted(chosen.items())), (), tuple(notes))


def _classes(
    root: Path, folders: Sequence[Path], named: dict[Path, int | None], has_images: Callable[[Path], bool]
) -> Found:
    """Every folder is a class, but for those of tools, and a test part without classes."""
    passed, notes = [f for f in folders if f.name.lower() in PASSED and not has_images(f)], []
    if passed:
        notes.append(f"{root}: {listed([f.name for f in passed])} passed over: no folders of a class")
    for folder, part in named.items():
        if part is None:
            continue
        if part == TRAIN:
            notes.append(
                f"{root}: {folder.name!r} holds images itself, beside other folders that do, and was taken "
                "as a class: parts=yes takes it as the training part"
            )
            continue
        if not has_images(folder):
            continue
        passed.append(folder)
        notes.append(
            f"{folder}: called a part of the data, its images in no class folders, beside folders of "
            "classes: passed over; parts=no takes it as a class"
        )
    return Found(((TRAIN, root),), tuple(passed), tuple(notes))


def _holds_folders(folder: Path) -> bool:
    return any(entry.is_dir() and not entry.name.startswith(".") for entry in folder.iterdir())
