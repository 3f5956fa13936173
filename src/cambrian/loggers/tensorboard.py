"""A search in TensorBoard: `tensorboard --logdir FOLDER` shows it while it works."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from cambrian.errors import UsageError
from cambrian.loggers.event_file import encode_scalar, encode_version
from cambrian.loggers.scalars import Scalar, ScalarWatch

SUFFIX = ".cambrian"
"""Of our own files: those of an earlier session are replaced, since each one's log is whole."""


class TensorBoard(ScalarWatch):
    """Writes an event file into `folder`, and removes those of earlier sessions there: of the run of this
    name, else of all that were written without one, so that each search needs a folder of its own. Raises
    UsageError where it cannot."""

    def __init__(self, folder: str | os.PathLike[str], run: str = "") -> None:
        super().__init__()
        self.folder = Path(folder)
        at = time.time()
        suffix = f"{SUFFIX}-{hashlib.sha256(os.fsencode(run)).hexdigest()[:16]}" if run else SUFFIX
        self.path = self.folder / f"events.out.tfevents.{at:.6f}.{os.getpid()}{suffix}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.glob(f"events.out.tfevents.*{suffix}"):
                old.unlink()
            self.path.write_bytes(encode_version(at))
        except OSError as error:
            raise UsageError(f"cannot log to {self.folder}: {error.strerror or error}") from error

    def write(self, scalars: list[Scalar]) -> None:
        at = time.time()
        records = b"".join(encode_scalar(*scalar, at) for scalar in scalars)
        try:
            # Opened anew: the file is whole after each trial, and a killed search leaves it so.
            with self.path.open("ab") as file:
                file.write(records)
        except OSError as error:
            self.on_warning(f"cannot log to {self.path}: {error.strerror or error}")
