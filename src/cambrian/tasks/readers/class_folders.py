"""Files of one kind in class folders, perhaps inside train/ and test/: sounds and texts, not images, whose
folders come in more shapes (see `arrangement`)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cambrian.errors import DataError
from cambrian.tasks.readers.class_parts import Placed, place_files
from cambrian.tasks.readers.listing import entries_of, holds_images, is_folder, show

KINDS = 6
"""Kinds of files passed over that a sentence names."""


@dataclass
class ClassFolders:
    """The files of a `kind` (sounds, texts) with one of the `endings`, in `root` and in the folders within,
    by path. Others are counted; those in the root beside folders too, where they are `inner`: a README.txt is
    about the texts."""

    root: Path
    kind: str
    endings: Collection[str]
    inner: bool = False
    files: list[Path] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        waiting, beside = [self.root], self.inner and any(map(is_folder, entries_of(self.root)))
        while waiting:
            place = waiting.pop()
            for entry in entries_of(place):
                if is_folder(entry):
                    # Links could lead round in a circle, or out of the folder.
                    waiting += [] if entry.is_symlink() else [Path(entry.path)]
                elif self._is_one(entry) and not (beside and place == self.root):
                    self.files.append(Path(entry.path))
                else:
                    ending = os.path.splitext(entry.name)[1].lower()
                    self.passed[show(ending[:12]) or "without an ending"] += 1
        self.files.sort()

    def _is_one(self, entry: os.DirEntry[str]) -> bool:
        try:
            return os.path.splitext(entry.name)[1].lower() in self.endings and entry.is_file()
        except OSError:
            return False

    def place(self, by_name: bool = False) -> Placed:
        """The class folder and the part of each file (see `place_files`)."""
        return place_files(self.root, self.files, self.kind, by_name)

    def remark(self) -> tuple[str, ...]:
        """A sentence about the files that were passed over."""
        if not self.passed:
            return ()
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.passed.most_common(KINDS))
        return (f"{show(self.root)}: passed over, since they are not {self.kind}: {kinds}",)


def list_within(paths: Sequence[str | os.PathLike[str]], kind: str, endings: Collection[str]) -> list[Path]:
    """The paths, with the files of that kind for each that is a folder. Raises DataError where there are
    none."""
    files: list[Path] = []
    for path in map(Path, paths):
        within = ClassFolders(path, kind, endings).files if path.is_dir() else [path]
        if not within:
            raise DataError(f"{show(path)}: the folder holds no {kind} ({', '.join(sorted(endings))})")
        files += within
    return files


def is_folder_of(folder: Path, kind: str, endings: Collection[str], inner: bool) -> bool:
    """Whether the folder holds files of that kind, in two class folders at least where they are `inner`, and
    not a single image."""
    held = ClassFolders(folder, kind, endings, inner)
    return len(set(held.place().classes)) > (1 if inner else 0) and not holds_images(folder)
