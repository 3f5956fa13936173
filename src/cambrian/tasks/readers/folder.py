"""A folder of class folders of images, perhaps inside train/, val/ and test/ (see `arrangement`).

Links that lead out of the folder are refused: all images must lie where the user pointed to. Files are
images by their ending or their first bytes; others are passed over and counted.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import TRAIN, Examples
from cambrian.tasks.images.arrays import with_notes
from cambrian.tasks.images.decoding import decode_files
from cambrian.tasks.phrases import list_names, short
from cambrian.tasks.readers.arrangement import MEANINGS, REMEDY, arrange, describe, enter, parts_within
from cambrian.tasks.readers.listing import (
    Listing,
    count_loose,
    describe_lack,
    holds_images,
    is_companion,
    show,
    system_folders,
)


@dataclass(frozen=True)
class Folder:
    """`parts` says whether folders called train, val or test are parts of the data ("yes"), classes ("no"),
    or the likelier of both ("auto"); or it names the part folders, such as "fold1,fold2": in the order train,
    test or train, validation, test. `background` is the colour that transparent pixels are laid on, "none"
    drops transparency. `levels` are those of 16-bit images that become 0 and 255, such as "0-4095"."""

    path: str
    parts: str = "auto"
    background: str = "auto"
    levels: str | None = None

    def examples(self) -> Examples:
        root = Path(self.path)
        scan = Scan(root)
        scan.read(self.parts)
        labels = sorted(set(scan.classes))  # so that a class has one number on every file system
        number = {name: i for i, name in enumerate(labels)}
        decode = decode_files(
            show(root.name),
            scan.files.__getitem__,
            lambda i: show(scan.files[i]),
            self.background,
            self.levels,
        )
        targets = np.array([number[name] for name in scan.classes], np.int64)
        name = show(root.resolve().name)
        marks = np.array(scan.marks, np.int8)
        return Examples(name, targets, tuple(map(_text, labels)), marks, with_notes(decode, scan.notes))


class Scan:
    """The images below a root with their classes and parts, and sentences about everything else in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listing = Listing(root)
        self.files: list[Path] = []
        self.classes: list[str] = []
        self.marks: list[int] = []
        self.notes: list[str] = []
        self.joined: dict[str, set[str]] = {}
        """The folders within a class folder, of those that have several."""

    def read(self, parts: str) -> None:
        """Read the root as it is arranged; `parts` is the reader's."""
        arrangement = arrange(self.root, self.listing, parts)
        self.notes += arrangement.notes
        # Training first: the classes of other parts are compared with its classes.
        if arrangement.classes or not arrangement.parts:
            self._take(TRAIN, self.root, arrangement.classes)
        for part, folder in arrangement.parts:
            inner = enter(folder)
            self._take(part, inner, self.listing.folders(inner))
        self._note_joined()
        # At the end, since the listing counts the files that it passes over as it goes.
        self._note_beside({self.root, *(enter(folder) for _, folder in arrangement.parts)})

    def _take(self, part: int, folder: Path, classes: Sequence[Path]) -> None:
        full = [entry for entry in classes if holds_images(entry)]
        empty = [entry for entry in classes if entry not in full]
        if part == TRAIN:
            _check_classes(folder, full, empty)
        elif not {_class_of(entry) for entry in full} & {*self.classes}:
            self.notes.append(
                f"{show(folder)}: passed over as a {MEANINGS[part]} part, since {describe(full)} are not "
                "classes of the training part"
            )
            return
        if empty:
            self.notes.append(f"{show(folder)}: passed over without images: {describe(empty)}")
        # cat/train and dog/train are parts only if every class is arranged so.
        within = {entry: parts_within(entry) for entry in full}
        if folder == self.root and all(within.values()):
            self._add_parts_of_classes(within)
            return
        for entry in full:
            self._add(part, entry, _class_of(entry))

    def _add_parts_of_classes(self, within: Mapping[Path, Mapping[Path, int]]) -> None:
        for entry, parts in within.items():
            for folder, part in parts.items():
                self._add(part, folder, _class_of(entry))
        part_names = {folder.name: part for parts in within.values() for folder, part in parts.items()}
        ordered = sorted(part_names, key=lambda name: (part_names[name], name))
        self.notes.append(
            f"{show(self.root.name)}: every class holds its own parts: "
            + ", ".join(f"{short(show(name))} is the {MEANINGS[part_names[name]]} part" for name in ordered)
        )

    def _add(self, part: int, folder: Path, name: str) -> None:
        images = self.listing.images(folder)
        inner = {image.relative_to(folder).parts[0] for image in images if image.parent != folder}
        if len(inner) > 1:
            self.joined.setdefault(name, set()).update(inner)
        self.files += images
        self.classes += [name] * len(images)
        self.marks += [part] * len(images)

    def _note_joined(self) -> None:
        """Say that folders within a class folder are one class: they may have been meant as classes."""
        if not self.joined:
            return
        name, inner = next(iter(self.joined.items()))
        more = f", and so in {len(self.joined) - 1} more classes" if len(self.joined) > 1 else ""
        self.notes.append(
            f"{show(self.root.name)}: all folders within a class folder are of its class: in"
            f" {short(show(name))} {list_names(sorted(map(show, inner)))}{more}"
        )

    def _note_beside(self, folders: set[Path]) -> None:
        for folder in sorted(folders):
            left = system_folders(folder)
            if left:
                self.notes.append(f"{show(folder)}: passed over as the file system's: {_quote(left)}")
            loose = count_loose(folder)
            if loose:
                images = "image that lies" if loose == 1 else "images that lie"
                self.notes.append(f"{show(folder)}: passed over {loose} {images} in no class folder")
        self.notes += self.listing.remark()


def _check_classes(folder: Path, full: Sequence[Path], empty: Sequence[Path]) -> None:
    """Raises DataError where the folders are not classes to be trained on."""
    if not full and not empty:
        wrong = "holds images but no class folders" if count_loose(folder) else "the folder is empty"
        raise DataError(f"{show(folder)}: {wrong}: {REMEDY}")
    # An empty class folder may be a failed download; an empty `labels` or `docs` is not a class.
    unknown = [entry for entry in empty if not is_companion(entry)]
    if unknown or not full:
        first = (unknown or empty)[0]
        lack = describe_lack(first)
        remedy = ", or remove the folder" if ": " in lack else ": fill it or remove it"
        raise DataError(f"{show(first)}: the class folder {lack}{remedy}")
    if len(full) == 1:
        raise DataError(_only_class(full[0], folder))


def _only_class(entry: Path, folder: Path) -> str:
    hint = f"; did you mean {show(entry)}?" if Listing(entry).folders(entry) else ""
    return (
        f"{show(folder)}: there is only one class folder, {short(show(entry.name))}: "
        f"a classifier needs at least two{hint}"
    )


def _class_of(folder: Path) -> str:
    """Its name, in which accents are written in one way: file systems and archives differ in that."""
    return unicodedata.normalize("NFC", folder.name)


def _text(name: str) -> str:
    """The name as text, whatever bytes the file system has."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _quote(names: Sequence[str]) -> str:
    return ", ".join(short(show(name)) for name in names)
