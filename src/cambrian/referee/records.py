"""The records of a comparison: a file with a line per finished search."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import LedgerCorrupt, RunChanged, RunError
from cambrian.files import make_folder, write_file
from cambrian.referee.line import Line
from cambrian.search.identity.agreement import same_settings
from cambrian.search.ledger.database import checksum, translate_errors
from cambrian.search.ledger.lock import Lock

LINES = "lines.jsonl"
SETTINGS = "settings.json"
Key = tuple[str, int]
"""Label and seed."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    checksum: int
    line: Line


class Records:
    """The lines of the comparison in `directory`, which is this process's until `close`; in memory
    without one. Raises RunBusy, and LedgerCorrupt for a file that is damaged otherwise than by a kill."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self.lines: dict[Key, Line] = {}
        self._lock: Lock | None = None
        self._file: int | None = None
        if directory is not None:
            with translate_errors(directory):
                make_folder(directory)
            self._lock = Lock(directory)
            # Whatever fails, the lock is released: the next attempt must not find the directory busy.
            try:
                self._open(directory / LINES)
            except BaseException:
                self.close()
                raise

    def agree(self, identity: dict[str, Any], asked: dict[str, Any]) -> None:
        """Record the subject of the comparison (`identity`) and the request (`asked`: "strategies", specs by
        label, and more). Raises RunChanged where the comparison is another one, or a label stands for
        another strategy."""
        if self.directory is None:
            return
        path = self.directory / SETTINGS
        stored = read_settings(self.directory) if path.exists() else None
        if stored is not None:
            same_settings(stored["identity"], msgspec.json.decode(encode(identity)), path)
            _check_strategies(stored["strategies"], msgspec.json.decode(encode(asked["strategies"])), path)
        # Labels of earlier requests stay: their lines are here, and a later request may name them again.
        labels = {**(stored["strategies"] if stored else {}), **asked["strategies"]}
        text = encode({"identity": identity, "strategies": labels, "asked": asked})
        write(path, msgspec.json.format(text))

    def add(self, line: Line) -> None:
        """Add a line; it is on the disk when this returns."""
        self.lines[line.strategy, line.seed] = line
        if self._file is not None:
            with translate_errors(self.directory):
                data = encode(Stored(checksum([line]), line)) + b"\n"
                while data:  # a nearly full disk writes a part
                    data = data[os.write(self._file, data) :]
                os.fsync(self._file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._lock is not None:
            self._lock.release()

    def _open(self, path: Path) -> None:
        with translate_errors(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            os.ftruncate(self._file, whole)  # a kill left the rest half written
        for number, text in enumerate(data[:whole].splitlines(), start=1):
            line = _read(text)
            if line is None:
                raise LedgerCorrupt(
                    f"{path} is damaged in line {number}: delete that line, and its search is played again"
                )
            self.lines[line.strategy, line.seed] = line


def read_settings(directory: Path) -> dict[str, Any]:
    """The settings that `agree` wrote. Raises RunError where `directory` does not hold a comparison."""
    path = directory / SETTINGS
    try:
        settings: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{directory} holds no comparison: give a benchmark or a task to begin one") from None
    except (OSError, msgspec.DecodeError) as error:
        raise LedgerCorrupt(f"{path} is damaged ({error}): begin the comparison anew elsewhere") from error
    return settings


def write(path: Path, data: bytes) -> None:
    """Write the whole file; after a kill the former one is there."""
    with translate_errors(path):
        write_file(path, data)


def _read(text: bytes) -> Line | None:
    try:
        stored: Stored = decode(text, Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return stored.line if stored.checksum == checksum([stored.line]) else None


def _check_strategies(old: dict[str, Any], new: dict[str, Any], path: Path) -> None:
    for label in old.keys() & new.keys():
        if old[label] != new[label]:
            raise RunChanged(
                f"{path.parent} knows another strategy as {label!r}: {old[label]}, not {new[label]}. Give it "
                "another label, or another directory"
            )
