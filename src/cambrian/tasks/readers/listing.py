"""The contents of a folder of images: its images, and the files that are passed over, counted by kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cambrian.errors import DataError
from cambrian.tasks.images.decoding import SUFFIXES

SYSTEM = {
    "lost+found",
    "@eadir",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "__macosx",
    "__pycache__",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
}
"""Folders and files that file systems and tools leave behind, in small letters. Hidden ones are, too."""

COMPANIONS = {
    "annotation",
    "annotations",
    "code",
    "doc",
    "docs",
    "info",
    "json",
    "label",
    "labels",
    "log",
    "logs",
}
COMPANIONS |= {"meta", "metadata", "readme", "sample", "samples", "script", "scripts", "xml"}
"""Folders that tools put beside images. Without images they are passed over, even if they are empty."""

# Downloads under way and backups: their first bytes may be those of an image.
UNFINISHED = {".part", ".partial", ".tmp", ".temp", ".bak", ".old", ".orig", ".download", ".crdownload"}
# JPEG, PNG, GIF; WebP is looked at in `_starts`, since its mark is not at the front.
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
KINDS = 6  # of files passed over that a sentence names


@dataclass
class Listing:
    """Lists folders within `root`, and counts the files it passes over in `left` by their ending."""

    root: Path
    left: Counter[str] = field(default_factory=Counter)

    def folders(self, folder: Path) -> list[Path]:
        """The folders that may hold images, by name."""
        entries = [entry for entry in entries_of(folder) if is_folder(entry)]
        for entry in entries:
            self.check(entry)
        return [folder / entry.name for entry in entries]

    def images(self, folder: Path) -> list[Path]:
        """The images in the folder and in those within, by path."""
        images: list[Path] = []
        waiting = [folder]
        while waiting:
            for entry in entries_of(waiting.pop()):
                if is_folder(entry):
                    if not entry.is_symlink():  # links could lead round in a circle
                        waiting.append(Path(entry.path))
                elif is_image(entry):
                    self.check(entry)
                    images.append(Path(entry.path))
                else:
                    self.left[_kind(entry.name)] += 1
        return sorted(images)

    def check(self, entry: os.DirEntry[str]) -> None:
        """Raises DataError where it is a link out of the root, or back to a folder it lies in."""
        if not entry.is_symlink():
            return
        # Real paths, since the root may itself be reached by a link.
        target, root, parent = (
            Path(os.path.realpath(p)) for p in (entry.path, self.root, os.path.dirname(entry.path))
        )
        if not target.is_relative_to(root) or parent.is_relative_to(target):
            way = "back" if parent.is_relative_to(target) else "out of the folder"
            raise DataError(
                f"{show(entry.path)}: a link that leads {way}, to {show(target)}: "
                "copy the images in, or remove the link"
            )

    def remark(self) -> tuple[str, ...]:
        """A sentence about the files that were passed over."""
        if not self.left:
            return ()
        total = sum(self.left.values())
        files = "1 file is" if total == 1 else f"{total} files are"
        return (
            f"{show(self.root.name)}: {files} not of a kind that can be read as an image, and passed over: "
            f"{self.count_kinds()}",
        )

    def count_kinds(self) -> str:
        """How many files of each kind were passed over, in words."""
        kinds = [f"{count} {kind}" for kind, count in self.left.most_common(KINDS)]
        more = sum(self.left.values()) - sum(count for _, count in self.left.most_common(KINDS))
        return ", ".join(kinds + ([f"{more} others"] if more else []))


def describe_lack(folder: Path) -> str:
    """What a folder without images holds: photographs of a phone may be there, of a kind that cannot be
    read."""
    listing = Listing(folder)
    listing.images(folder)
    lack = f"holds no images ({', '.join(sorted(SUFFIXES))})"
    return f"{lack}, but {listing.count_kinds()}: convert these, as to .jpg" if listing.left else lack


def count_loose(folder: Path) -> int:
    """How many images lie in the folder itself."""
    return sum(not is_folder(entry) and is_image(entry) for entry in entries_of(folder))


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of the folder by name, without hidden ones and those that file systems leave behind."""
    try:
        with os.scandir(folder) as entries:
            listed = [e for e in entries if not (e.name.startswith(".") or e.name.lower() in SYSTEM)]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{show(folder)}: cannot be listed ({why}): check its permissions") from error
    return sorted(listed, key=lambda entry: entry.name)


def system_folders(folder: Path) -> list[str]:
    """The folders in it, not hidden, that file systems and tools have left behind."""
    return sorted(e.name for e in os.scandir(folder) if e.name.lower() in SYSTEM and is_folder(e))


def is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_companion(folder: Path) -> bool:
    return folder.name.lower() in COMPANIONS


def is_image(entry: os.DirEntry[str]) -> bool:
    """Whether it is an image, by its ending, or else by its first bytes."""
    ending = os.path.splitext(entry.name)[1].lower()
    try:
        if not entry.is_file():  # a pipe or a socket would be waited for
            return False
    except OSError:
        return False
    return ending in SUFFIXES or (
        ending not in UNFINISHED and not entry.name.endswith("~") and _starts(entry)
    )


def show(path: str | os.PathLike[str]) -> str:
    """The path as one line that can be printed, even where the file system's bytes are not UTF-8."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _starts(entry: os.DirEntry[str]) -> bool:
    try:
        with open(entry.path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(STARTS) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def _kind(name: str) -> str:
    ending = os.path.splitext(name)[1].lower()
    return show(ending[:12]) if ending else "without an ending"


def list_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The paths, with the images in it and in folders within for each that is a folder. Raises DataError for
    a folder without images."""
    files: list[Path] = []
    for path in map(Path, paths):
        images = Listing(path).images(path) if path.is_dir() else [path]
        if not images:
            raise DataError(f"{show(path)}: the folder {describe_lack(path)}")
        files += images
    return files


def count_images(folder: Path) -> int:
    """How many images are in the folder and in those within; links are not followed."""
    waiting, count = [folder], 0
    while waiting:
        for entry in entries_of(waiting.pop()):
            if is_folder(entry):
                waiting += [] if entry.is_symlink() else [Path(entry.path)]
            else:
                count += is_image(entry)
    return count


def holds_images(folder: Path) -> bool:
    """Whether there is an image in the folder or in those within."""
    waiting = [folder]
    while waiting:
        entries = entries_of(waiting.pop())
        if any(not is_folder(entry) and is_image(entry) for entry in entries):
            return True  # at the first one, where counting reads everything
        waiting += [Path(e.path) for e in entries if is_folder(e) and not e.is_symlink()]
    return False
