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
from cambrian.tasks.examples import Decode, Decoded, Examples
from cambrian.tasks.images.arrays import with_notes
from cambrian.tasks.images.each_file import for_each
from cambrian.tasks.limits import check_memory
from cambrian.tasks.nouns import SOUNDS
from cambrian.tasks.phrases import list_names
from cambrian.tasks.readers.class_folders import ClassFolders, is_folder_of, list_within
from cambrian.tasks.readers.listing import show
from cambrian.tasks.sounds import BANDS, Hearing, describe_hearing, draw_spectrogram, read_header, read_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND, SUFFIXES = "sounds", (".wav", ".wave")
QUANTILE = 0.95
"""The share of sounds that are not cropped, where nobody says how long they are."""
LONGEST = 10.0
"""Seconds that are taken at most, where nobody says."""


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
        folders = ClassFolders(root, KIND, SUFFIXES)
        if not folders.files:
            raise DataError(f"{show(root)}: no sounds: give a folder with a folder of .wav files a class")
        files, within, parts, remarks = folders.place(self.classes == "name")
        # Class folders, where there are several, and none of the sounds lies beside them.
        several = len(set(within)) > 1 and "" not in within
        by_folder = several if self.classes is None else self.classes == "folder"
        names = [_class_of(*pair, by_folder) for pair in zip(within, files, strict=True)]
        labels = tuple(sorted(set(names)))
        targets = np.array([labels.index(name) for name in names], np.int64)
        marks = np.array(parts, np.int8)
        where = "the folders" if by_folder else "the beginnings of the files' names"
        other = "name" if by_folder else "folder"
        note = f"{show(root)}: {where} are the classes, {list_names(labels)}: or give classes={other}"
        notes = (note, *remarks, *folders.remark())
        decode = with_notes(self._decode(show(root.name), files), notes)
        return Examples(show(root.resolve().name), targets, labels, marks, decode, noun=SOUNDS)

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
    return is_folder_of(folder, KIND, SUFFIXES, inner=False)


def list_sounds(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The paths, with the sounds within for each that is a folder. Raises DataError where there are none."""
    return list_within(paths, KIND, SUFFIXES)


def _class_of(folder: str, file: Path, by_folder: bool) -> str:
    name = folder if by_folder else re.split(r"[_\- ]", file.stem)[0]
    if not name:
        raise DataError(f"{show(file)}: lies in no class folder: move it into one, or give classes=name")
    return show(name)
