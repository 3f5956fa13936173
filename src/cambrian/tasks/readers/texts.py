"""Texts: a folder with a folder of .txt files for each class, or a column of a CSV."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.settings import Span, check_settings
from cambrian.tasks.examples import Decode, Decoded, Examples
from cambrian.tasks.images.arrays import with_notes
from cambrian.tasks.images.each_file import for_each
from cambrian.tasks.nouns import TEXTS
from cambrian.tasks.phrases import list_names
from cambrian.tasks.readers.class_folders import ClassFolders, is_folder_of, list_within
from cambrian.tasks.readers.features import read_cells
from cambrian.tasks.readers.listing import show
from cambrian.tasks.tables.table_form import UNKNOWN, TableForm
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

KIND, SUFFIXES = "texts", (".txt",)
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
        folders = ClassFolders(root, KIND, SUFFIXES, inner=True)
        if not folders.files:
            raise DataError(f"{show(root)}: no texts: give a folder with a folder of .txt files a class")
        files, within, parts, remarks = folders.place()
        names = [_class_of(*pair) for pair in zip(within, files, strict=True)]
        labels = tuple(sorted(set(names)))
        targets = np.array([labels.index(name) for name in names], np.int64)
        marks = np.array(parts, np.int8)
        texts = read_files(files)
        refuse_empty(show(root.name), texts, list(map(show, files)))
        notes = (
            f"{show(root)}: the folders are the classes, {list_names(labels)}",
            *remarks,
            *folders.remark(),
        )

        def fit(train: NDArray[np.int64] | None) -> Decode:
            decode = decode_texts(show(root.name), texts, self.length, self.characters, train=train)
            return with_notes(decode, notes)

        name = show(root.resolve().name)
        return Examples(name, targets, labels, marks, fit(None), noun=TEXTS, fit=fit)


def decode_texts(
    name: str,
    texts: Sequence[str],
    length: int | None,
    characters: int,
    column: str = "",
    form: TableForm = UNKNOWN,
    train: NDArray[np.int64] | None = None,
) -> Decode:
    """A `decode` of these texts, whose script is that of the ones at `train`, or of all that are kept; those
    of a table are in that `column`, and `form` is the table's."""

    def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
        if size is not None:
            raise DataError(f"{name}: texts have no size: give --read length=100 instead")
        chosen = [texts[i] for i in indices.tolist()]
        known = chosen if train is None else [texts[i] for i in train.tolist()]
        script = fit_script(known, length, characters, column)
        facts = {k: v for k, v in msgspec.to_builtins(script).items() if k != "corpus"}
        cut = sum(len(clean(text)) > script.length for text in chosen)
        note = (
            f"{name}: networks read {describe_script(facts)}; {cut} of {len(chosen)} texts are longer and cut"
            " at their end: length= says another length"
        )
        return Decoded(draw_texts(chosen, script, name), (note,), {"text": facts, **form.record()})

    return decode


def refuse_empty(name: str, texts: Sequence[str], places: Sequence[str]) -> None:
    """Raises DataError for a text without a character; `places` are the files or lines of the texts."""
    empty = [n for n, text in enumerate(texts) if not clean(text)]
    if empty:
        more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        raise DataError(f"{name}: the text of {places[empty[0]]} is empty{more}: write it, or leave it out")


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


def find_inputs(
    paths: Sequence[str | os.PathLike[str]], script: Script, form: TableForm = UNKNOWN
) -> tuple[list[str], list[str]]:
    """The names and the texts of .txt files, of those in folders, and of the rows of a .csv with the script's
    column, which is read in that form, as FILE:NUMBER. Raises DataError for others."""
    names: list[str] = []
    texts: list[str] = []
    # Files that follow one another are read together, so that one error names all broken ones.
    for tables, group in groupby(map(Path, paths), is_table):
        for path in group if tables else ():
            rows = _read_column(read_cells(path, form), path, script)
            names += [f"{path}:{n}" for n in range(1, len(rows) + 1)]
            texts += rows
        if not tables:
            files = list_texts([*group])
            names += list(map(str, files))
            texts += read_files(files)
    return names, texts


def is_table(path: Path) -> bool:
    """Whether a file is a table with a text in each row, by its name."""
    return path.suffix.lower() in (".csv", ".tsv")


def _read_column(cells: Mapping[str, Sequence[str]], path: Path, script: Script) -> list[str]:
    if script.column not in cells:
        raise DataError(f"{path}: no column {script.column!r:.60}, which held the texts in training")
    return list(cells[script.column])


def is_text_folder(folder: Path) -> bool:
    return is_folder_of(folder, KIND, SUFFIXES, inner=True)


def list_texts(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The paths, with the texts within for each that is a folder. Raises DataError where there are none."""
    return list_within(paths, KIND, SUFFIXES)


def _class_of(folder: str, file: Path) -> str:
    if not folder:
        raise DataError(f"{show(file)}: lies in no class folder: move it into one")
    return show(folder)
