"""A folder of .wav files: in class folders, perhaps inside train/ and test/, or named by their class."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.settings import COUNT, POSITIVE, check_settings
from cambrian.tasks.arrays import with_notes
from cambrian.tasks.each_file import for_each
from cambrian.tasks.examples import PARTS, TRAIN, Decode, Decoded, Examples
from cambrian.tasks.limits import check_memory
from cambrian.tasks.phrases import list_names
from cambrian.tasks.readers.listing import entries_of, is_folder, is_image, show
from cambrian.tasks.sounds import BANDS, Hearing, describe_hearing, draw_spectrogram, read_header, read_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = {".wav", ".wave"}
QUANTILE = 0.95
"""The share of sounds that are not cropped, where nobody says how long they are."""
LONGEST = 10.0
"""Seconds that are taken at most, where nobody says."""
COUNTED = 6
"""Kinds of files passed over that a sentence names."""


@dataclass(frozen=True)
class Sounds:
    """`classes` says whether the classes are the folders ("folder") or the beginnings of the files' names, up
    to the first _, - or space ("name"). `seconds` is the length that all sounds are brought to, `rate` the
    samples a second, `mels` the bands of a spectrogram."""

    path: str
    classes: Literal["folder", "name"] | None = None
    seconds: Annotated[float | None, POSITIVE] = None
    rate: Annotated[int | None, COUNT] = None
    mels: Annotated[int, BANDS] = 40

    def examples(self) -> Examples:
        check_settings(self, "sounds")
        root = Path(self.path)
        files, passed = find_sounds(root)
        if not files:
            raise DataError(f"{show(root)}: no sounds: give a folder with a folder of .wav files a class")
        by_folder = self.classes == "folder" or (self.classes is None and _are_in_folders(root, files))
        names = [_class_of(root, file, by_folder) for file in files]
        labels = tuple(sorted(set(names)))
        targets = np.array([labels.index(name) for name in names], np.int64)
        marks = np.array([_part_of(root, file) for file in files], np.int8)
        where = "the folders" if by_folder else "the beginnings of the files' names"
        other = "name" if by_folder else "folder"
        note = f"{show(root)}: {where} are the classes, {list_names(labels)}: or give classes={other}"
        notes = (note, *_say_passed(root, passed))
        decode = with_notes(self._decode(show(root.name), files), notes)
        return Examples(show(root.resolve().name), targets, labels, marks, decode)

    def _decode(self, name: str, files: Sequence[Path]) -> Decode:
        def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
            if size is not None:
                raise DataError(f"{name}: sounds have no size: give --read seconds=1 or mels=40 instead")
            chosen = [files[i] for i in indices.tolist()]
            hearing, notes = self._listen(name, chosen)
            check_memory(name, 4 * len(chosen) * hearing.mels * hearing.frames)
            facts = {"sound": msgspec.to_builtins(hearing)}
            return Decoded(draw_all(chosen, hearing), notes, facts)

        return decode

    def _listen(self, name: str, files: Sequence[Path]) -> tuple[Hearing, tuple[str, ...]]:
        """The hearing of all sounds, and sentences about it."""
        places = list(map(show, files))
        headers = for_each(lambda row: read_header(files[row], places[row]), places, "sounds")
        lengths = np.array([seconds for _, seconds in headers])
        rates = Counter(rate for rate, _ in headers)
        usual = rates.most_common(1)[0][0]
        length = self.seconds or min(LONGEST, round(float(np.quantile(lengths, QUANTILE)), 2) or 0.01)
        hearing = Hearing(self.rate or usual, length, self.mels)
        longer = int((lengths > length + 0.005).sum())
        notes = [
            f"{name}: sounds become {describe_hearing(msgspec.to_builtins(hearing))};"
            f" {longer} of {len(files)} are longer and cropped in the middle: seconds= says another length"
        ]
        others = sum(count for rate, count in rates.items() if rate != hearing.rate)
        if others:
            notes.append(f"{name}: {others} of {len(files)} sounds are resampled to {hearing.rate:,} Hz")
        return hearing, tuple(notes)


def draw_all(files: Sequence[Path], hearing: Hearing) -> NDArray[np.float32]:
    """The spectrograms float32 [n, mels, frames, 1] of .wav files. One DataError names all broken ones."""
    images = np.empty((len(files), hearing.mels, hearing.frames, 1), np.float32)

    places = list(map(show, files))

    def fill(row: int) -> None:
        images[row] = draw_spectrogram(*read_sound(files[row], places[row]), hearing)

    for_each(fill, places, "sounds")
    return images


def is_sound_folder(folder: Path) -> bool:
    """Whether the first file of a known kind, from the top, is a sound."""
    waiting = [folder]
    while waiting:
        entries = entries_of(waiting.pop(0))
        if any(_is_sound(entry) for entry in entries):
            return True
        if any(not is_folder(entry) and is_image(entry) for entry in entries):
            return False
        waiting += [Path(entry.path) for entry in entries if is_folder(entry) and not entry.is_symlink()]
    return False


def find_sounds(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The sounds in the folder and in those within, by path, and the endings of other files, counted."""
    files: list[Path] = []
    passed: Counter[str] = Counter()
    waiting = [folder]
    while waiting:
        for entry in entries_of(waiting.pop()):
            if is_folder(entry):
                waiting += [] if entry.is_symlink() else [Path(entry.path)]
            elif _is_sound(entry):
                files.append(Path(entry.path))
            else:
                passed[show(os.path.splitext(entry.name)[1].lower()[:12]) or "without an ending"] += 1
    return sorted(files), passed


def list_sounds(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The paths, with the sounds within for each that is a folder. Raises DataError where there are none."""
    files: list[Path] = []
    for path in map(Path, paths):
        found = find_sounds(path)[0] if path.is_dir() else [path]
        if not found:
            raise DataError(f"{show(path)}: the folder holds no sounds ({', '.join(sorted(SUFFIXES))})")
        files += found
    return files


def _is_sound(entry: os.DirEntry[str]) -> bool:
    try:
        return os.path.splitext(entry.name)[1].lower() in SUFFIXES and entry.is_file()
    except OSError:
        return False


def _are_in_folders(root: Path, files: Sequence[Path]) -> bool:
    """Whether the sounds lie in at least two folders that are not parts of the data."""
    return len({_folder_of(root, file) for file in files}) > 1 and all(_folder_of(root, f) for f in files)


def _folder_of(root: Path, file: Path) -> str:
    """The first folder on the way to the file that does not name a part; empty where there is none."""
    inner = file.relative_to(root).parts[:-1]
    return next((name for name in inner if name.lower() not in PARTS), "")


def _class_of(root: Path, file: Path, by_folder: bool) -> str:
    name = _folder_of(root, file) if by_folder else re.split(r"[_\- ]", file.stem)[0]
    if not name:
        raise DataError(f"{show(file)}: lies in no class folder: move it into one, or give classes=name")
    return show(name)


def _part_of(root: Path, file: Path) -> int:
    inner = file.relative_to(root).parts[:-1]
    return next((PARTS[name.lower()] for name in inner if name.lower() in PARTS), TRAIN)


def _say_passed(root: Path, passed: Counter[str]) -> tuple[str, ...]:
    if not passed:
        return ()
    kinds = ", ".join(f"{count} {kind}" for kind, count in passed.most_common(COUNTED))
    return (f"{show(root)}: passed over, since they are not sounds: {kinds}",)
