"""Finding and reading the files of published tables."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

VARIABLE = "CAMBRIAN_DATA"


def tables_folder() -> Path | None:
    """The folder of published tables; None if the variable is not set or empty, or names a folder that does
    not exist or is empty."""
    name = os.environ.get(VARIABLE, "").strip()
    return Path(name) if name and Path(name).is_dir() and any(Path(name).iterdir()) else None


def place(name: str) -> Path:
    """The path of the file `name` in the folder of tables. Raises DataError if it is missing."""
    folder = tables_folder()
    if folder is None:
        setting = os.environ.get(VARIABLE, "").strip()
        wrong = f", which is {setting!r} and no folder that holds anything," if setting else ""
        raise DataError(
            f"this benchmark needs the table {name}: set {VARIABLE}{wrong} to the folder of published tables"
        )
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"there is no table {path}: put it there, or set {VARIABLE} to the folder that has it"
        )
    return path


def is_there(name: str) -> bool:
    """Whether the folder of tables has the file `name`."""
    folder = tables_folder()
    return folder is not None and (folder / name).is_file()


def read_arrays(name: str, *needed: str) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` by name. Raises DataError if the file is missing, damaged, or another one."""

    def read(path: Path) -> dict[str, NDArray[Any]]:
        with path.open("rb") as file, np.load(file) as archive:
            return {n: archive[n] for n in needed}

    arrays: dict[str, NDArray[Any]] = _read(name, read)
    return arrays


def read_json(name: str, take: Callable[[Any], Any]) -> Any:
    """The result of `take` for the content of a `.json` or `.json.gz`. Raises DataError if the file is
    missing, damaged, or another one."""

    def read(path: Path) -> Any:
        content = path.read_bytes()
        # Taken inside the reading, so that content without the expected keys counts as another file.
        return take(json.loads(gzip.decompress(content) if path.suffix == ".gz" else content))

    return _read(name, read)


def _read(name: str, read: Callable[[Path], Any]) -> Any:
    path = place(name)
    try:
        return read(path)
    except Exception as error:  # gzip, zipfile, zlib, json and numpy raise many kinds for a damaged file
        raise DataError(
            f"the table {path} is damaged or another file ({type(error).__name__}: {error}): fetch it anew"
        ) from error
