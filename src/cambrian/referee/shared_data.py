"""Run directories side by side that share one copy of the data."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

from cambrian.files import make_folder
from cambrian.search.ledger.database import translate_errors
from cambrian.search.ledger.run_directory import TASK


def name_folder(label: str) -> str:
    """A file name for a label such as "evolution(population=20)", which is none everywhere. One that loses
    more than a call's punctuation ends with a checksum, which tells it from others that look alike.

    >>> name_folder('train(epochs=1, fraction=0.1)'), name_folder('größer')
    ('train-epochs=1-fraction=0.1', 'gr-er-f83617b0')
    """
    plain = re.sub(r"[^A-Za-z0-9._=-]+", "-", label).strip("-")
    if re.fullmatch(r"""[A-Za-z0-9._=(),'" -]*""", label):
        return plain
    return f"{plain}-{zlib.crc32(label.encode()):08x}"


def open_place(home: Path, *folders: str, shared: bool = True) -> Path:
    """The run directory of these nested folders within `home`; with a link to the data there, where they are
    `shared`."""
    place = home.joinpath(*folders)
    with translate_errors(place):
        make_folder(place)
        # A relative link: the whole directory can be moved.
        if shared and not (place / TASK).exists():
            os.symlink(Path(*[".."] * len(folders), TASK), place / TASK)
    return place
