"""Where published tables are, and reading them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

VARIABLE = "CAMBRIAN_DATA"


def place(name: str) -> Path:
    """The file `name` of the folder of tables. Raises DataError saying what to do where it is not there."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise DataError(
            f"the table {name} is needed, and {VARIABLE} is not set: set it to the folder of published tables"
        )
    path = Path(folder) / name
    if not path.is_file():
        raise DataError(
            f"there is no {path}: put the table there, or set {VARIABLE} to the folder that holds {name}"
        )
    return path


def arrays(name: str, *needed: str) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz` by name. Raises DataError where it is missing, damaged, or another file."""
    path = place(name)
    try:
        with np.load(path) as found:
            missing = [n for n in needed if n not in found.files]
            if missing:
                raise DataError(
                    f"{path} has no {missing[0]!r}: it is another file than {name}, fetch it anew"
                )
            return {n: found[n] for n in needed}
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise DataError(f"{path} is damaged ({error}): fetch it anew") from error
