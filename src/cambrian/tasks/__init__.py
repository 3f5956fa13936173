"""Your data: readers, splits, metrics. `load` makes a `Task` of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.tasks.loading import load
from cambrian.tasks.readers import READERS, TASKS
from cambrian.tasks.targets.metrics import METRICS
from cambrian.tasks.task import Task, prepare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_images(
    paths: Sequence[str | Path],
    channels: int,
    height: int,
    width: int,
    rendering: Mapping[str, Any] | None = None,
) -> NDArray[np.uint8]:
    """Image files as a network's inputs, uint8 [n, height, width, channels], decoded and resized as the
    images it was trained on, whose task has that `rendering`. Raises DataError, one sentence that names the
    file."""
    from cambrian.tasks.images import decoding  # late: Pillow takes a moment to import
    from cambrian.tasks.images.rendering import read_rendering

    how = read_rendering(rendering or {})
    return decoding.read_images(paths, channels, height, width, how)


def read_sounds(paths: Sequence[str | Path], rendering: Mapping[str, Any]) -> NDArray[np.float32]:
    """Sound files as a network's inputs, float32 [n, bands, moments, 1], made like those it was trained on,
    whose task has that `rendering`. Raises DataError, one sentence that names the file."""
    from cambrian.tasks.readers.sounds import draw_all
    from cambrian.tasks.sounds import read_hearing

    return draw_all(list(map(Path, paths)), read_hearing(rendering.get("sound")))


def read_texts(
    paths: Sequence[str | os.PathLike[str]], rendering: Mapping[str, Any]
) -> tuple[list[str], NDArray[np.uint8]]:
    """The names and the inputs uint8 [n, length, 1, characters] of .txt files, of those in folders, and of
    the rows of a .csv, made like the texts of the task that has this `rendering`. Raises DataError."""
    from cambrian.tasks.readers.texts import find_inputs
    from cambrian.tasks.tables.table_form import read_form
    from cambrian.tasks.texts import draw_texts, read_script

    script = read_script(rendering.get("text"))
    names, texts = find_inputs(paths, script, read_form(rendering))
    return names, draw_texts(texts, script, "the texts")


def list_files(paths: Sequence[str | os.PathLike[str]], rendering: Mapping[str, Any]) -> list[Path]:
    """The paths, with the images within for each that is a folder; or with the sounds or the texts, where
    the rendering is of these. Raises DataError where there are none."""
    from cambrian.tasks.readers.sounds import list_sounds
    from cambrian.tasks.readers.texts import list_texts

    if "text" in rendering:
        return list_texts(paths)
    return list_sounds(paths) if "sound" in rendering else list_images(paths)


def list_images(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The paths, with the images within for each that is a folder. Raises DataError where there are none."""
    from cambrian.tasks.readers import listing

    return listing.list_images(paths)


def read_rows(
    source: Any, columns: Sequence[Mapping[str, Any]], rendering: Mapping[str, Any] | None = None
) -> NDArray[np.float32]:
    """The rows of a .csv, of an array, or of a table with named columns such as pandas has, as a network's
    inputs, float32 [n, 1, 1, features], read and encoded as the rows it was trained on, whose task has those
    `columns` and that `rendering`. Warns of words in columns of categories that training never saw. Raises
    DataError, one sentence that names the column and the row."""
    from cambrian.tasks.readers.features import read_named_rows
    from cambrian.tasks.tables.column_notes import find_unseen
    from cambrian.tasks.tables.features import encode, read_columns
    from cambrian.tasks.tables.table_form import read_form

    where = str(source) if isinstance(source, str | os.PathLike) else "the rows"
    cells, rows = read_named_rows(source, read_form(rendering or {}))
    known = read_columns(columns)
    encoded = encode(known, cells, where, rows)
    for sentence in find_unseen(known, cells, where):
        warnings.warn(sentence, stacklevel=2)
    return encoded[:, None, None, :]


__all__ = [
    "METRICS",
    "READERS",
    "TASKS",
    "Task",
    "list_files",
    "list_images",
    "load",
    "prepare",
    "read_images",
    "read_rows",
    "read_sounds",
    "read_texts",
]
