"""Where published tables are, and reading them."""

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
    """The folder of published tables; None where the variable is not set or empty, or names a folder that is
    not there or holds nothing."""
    said = os.environ.get(VARIABLE, "").strip()
    return Path(said) if said and Path(said).is_dir() and any(Path(said).iterdir()) else None


def place(name: str) -> Path:
    """The file `name` of the folder of tables. Raises DataError saying what to do where it is not there."""
    folder = tables_folder()
    if folder is None:
        said = os.environ.get(VARIABLE, "").strip()
        wrong = f", which is {said!r} and no folder that holds anything," if said else ""
        raise DataError(
            f"this benchmark needs the table {name}: set {VARIABLE}{wrong} to the folder of published tables"
        )
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"there is no table {path}: put it there, or set {VARIABLE} to the folder that has it"
        )
    return path


def read_arrays(name: str, *needed: str) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz` by name. Raises DataError where it is missing, damaged, or another file."""

    def read(path: Path) -> dict[str, NDArray[Any]]:
        with path.open("rb") as file, np.load(file) as found:
            return {n: found[n] for n in needed}

    found: dict[str, NDArray[Any]] = _read(name, read)
    return found


def read_json(name: str, take: Callable[[Any], Any]) -> Any:
    """What `take` makes of a `.json.gz`. Raises DataError where it is missing, damaged, or another file."""
    return _read(name, lambda path: take(json.loads(gzip.decompress(path.read_bytes()))))


def _read(name: str, read: Callable[[Path], Any]) -> Any:
    path = place(name)
    try:
        return read(path)
    except Exception as error:  # gzip, zipfile, zlib, json and numpy raise many kinds for a damaged file
        raise DataError(
            f"the table {path} is damaged or another file ({type(error).__name__}: {error}): fetch it anew"
        ) from error
