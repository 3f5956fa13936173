"""Texts: a folder with a folder of .txt files for each class, or a column of a CSV."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.settings import Span, check_settings
from cambrian.tasks.arrays import with_notes
from cambrian.tasks.each_file import for_each
from cambrian.tasks.examples import PARTS, TRAIN, Decode, Decoded, Examples
from cambrian.tasks.phrases import list_names
from cambrian.tasks.readers.features import read_cells
from cambrian.tasks.readers.listing import entries_of, is_folder, is_image, show
from cambrian.tasks.texts import (
    LENGTH,
    MOST_CHARACTERS,
    Script,
    clean,
    describe_script,
    draw_texts,
    fit_script,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".txt"
MOST_BYTES = 2**20
"""Of a file, that are read: far more than the characters that a network sees."""


@dataclass(frozen=True)
class Texts:
    """`length` is the number of characters that are read of a text, `characters` how many are told apart."""

    path: str
    length: Annotated[int | None, LENGTH] = None
    characters: Annotated[int, Span(2, 1000)] = MOST_CHARACTERS

    def examples(self) -> Examples:
        check_settings(self, "texts")
        root = Path(self.path)
        files, passed = find_texts(root)
        names = [_class_of(root, file) for file in files]
        labels = tuple(sorted(set(names)))
        targets = np.array([labels.index(name) for name in names], np.int64)
        marks = np.array([_part_of(root, file) for file in files], np.int8)
        texts = read_files(files)
        decode = decode_texts(show(root.name), texts, self.length, self.characters)
        notes = [f"{show(root)}: the folders are the classes, {list_names(labels)}"]
        if passed:
            kinds = ", ".join(f"{count} {kind}" for kind, count in passed.most_common(6))
            notes.append(f"{show(root)}: passed over, since they are not texts: {kinds}")
        return Examples(show(root.resolve().name), targets, labels, marks, with_notes(decode, notes))


def decode_texts(
    name: str, texts: Sequence[str], length: int | None, characters: int, column: str = ""
) -> Decode:
    """A `decode` of these texts, whose script is that of the ones that are kept. Raises DataError for a text
    without a character."""
    empty = [n for n, text in enumerate(texts) if not clean(text)]
    if empty:
        more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        raise DataError(f"{name}: text {empty[0] + 1} is empty{more}: write it, or leave it out")

    def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
        if size is not None:
            raise DataError(f"{name}: texts have no size: give --read length=100 instead")
        chosen = [texts[i] for i in indices.tolist()]
        script = fit_script(chosen, length, characters, column)
        facts = msgspec.to_builtins(script)
        cut = sum(len(clean(text)) > script.length for text in chosen)
        note = (
            f"{name}: networks read {describe_script(facts)}; {cut} of {len(chosen)} texts are longer and cut"
            " at their end: length= says another length"
        )
        return Decoded(draw_texts(chosen, script, name), (note,), {"text": facts})

    return decode


def read_files(files: Sequence[Path]) -> list[str]:
    """The texts of .txt files, in UTF-8. One DataError names all that are not."""
    places = list(map(show, files))

    def read(row: int) -> str:
        try:
            with files[row].open("rb") as file:
                # What is read of a long file may end within a character.
                errors = "ignore" if files[row].stat().st_size > MOST_BYTES else "strict"
                return file.read(MOST_BYTES).decode("utf-8-sig", errors)
        except UnicodeDecodeError as error:
            raise DataError(f"{places[row]}: not a text in UTF-8: convert or remove it") from error
        except OSError as error:
            raise DataError(f"{places[row]}: cannot be read ({error.strerror}): mend or remove it") from error

    return for_each(read, places, "texts")


def find_inputs(paths: Sequence[str | os.PathLike[str]], script: Script) -> tuple[list[str], list[str]]:
    """The names and the texts of .txt files, of those in folders, and of the rows of a .csv with the script's
    column, as FILE:NUMBER. Raises DataError for others."""
    names: list[str] = []
    texts: list[str] = []
    for path in map(Path, paths):
        if path.suffix.lower() in (".csv", ".tsv"):
            rows = _read_column(read_cells(path), path, script)
            names += [f"{path}:{n}" for n in range(1, len(rows) + 1)]
            texts += rows
        else:
            files = find_texts(path)[0] if path.is_dir() else [path]
            names += list(map(str, files))
            texts += read_files(files)
    return names, texts


def _read_column(cells: Mapping[str, Sequence[str]], path: Path, script: Script) -> list[str]:
    if script.column not in cells:
        raise DataError(f"{path}: no column {script.column!r:.60}, which held the texts in training")
    return list(cells[script.column])


def is_text_folder(folder: Path) -> bool:
    """Whether class folders hold texts, and no image is on the way to them."""
    waiting = [entry.path for entry in entries_of(folder) if is_folder(entry)]
    while waiting:
        entries = entries_of(Path(waiting.pop(0)))
        files = [entry for entry in entries if not is_folder(entry)]
        if any(map(is_image, files)):
            return False
        if any(map(_is_text, files)):
            return True
        waiting += [entry.path for entry in entries if is_folder(entry) and not entry.is_symlink()]
    return False


def find_texts(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The texts in the folder and in those within, by path, and the endings of other files, counted. Beside
    folders of texts, those in the folder itself are about the data, such as a README.txt."""
    files: list[Path] = []
    passed: Counter[str] = Counter()
    waiting, beside = [folder], any(map(is_folder, entries_of(folder)))
    while waiting:
        place = waiting.pop()
        for entry in entries_of(place):
            if is_folder(entry):
                waiting += [] if entry.is_symlink() else [Path(entry.path)]
            elif _is_text(entry) and not (beside and place == folder):
                files.append(Path(entry.path))
            else:
                passed[show(os.path.splitext(entry.name)[1].lower()[:12]) or "without an ending"] += 1
    if not files:
        raise DataError(f"{show(folder)}: the folder holds no texts ({SUFFIX})")
    return sorted(files), passed


def _is_text(entry: os.DirEntry[str]) -> bool:
    try:
        return os.path.splitext(entry.name)[1].lower() == SUFFIX and entry.is_file()
    except OSError:
        return False


def _class_of(root: Path, file: Path) -> str:
    inner = file.relative_to(root).parts[:-1]
    name = next((name for name in inner if name.lower() not in PARTS), "")
    if not name:
        raise DataError(f"{show(file)}: lies in no class folder: move it into one")
    return show(name)


def _part_of(root: Path, file: Path) -> int:
    inner = file.relative_to(root).parts[:-1]
    return next((PARTS[name.lower()] for name in inner if name.lower() in PARTS), TRAIN)
