"""Files that are whole or not there: whenever this process is killed or the power fails, the old file is
found or the new one.

What is written goes to a draft beside its place, is flushed to the disk, and is renamed; then the folder is
flushed, so that the new name is on the disk too before anything is written that relies on it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """Gives the draft to be written, which takes the place of `path` where the block ends well, and is
    removed where it does not: a part of a file takes the room there is."""
    draft = _draft_of(path)
    try:
        yield draft
        _sync(draft)
        os.replace(draft, path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    _sync(path.parent)


@contextmanager
def stage_folder(path: Path) -> Iterator[Path]:
    """The same of a folder: gives an empty one to be filled. An earlier one steps aside before the new one
    takes its place, and is then removed."""
    draft, old = _draft_of(path), path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        yield draft
        for written in (*draft.rglob("*"), draft):
            _sync(written)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.replace(path, old)
        os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def remove_drafts(folder: Path, name: str = "*") -> None:
    """Remove the drafts of files of that name (a pattern) which killed processes left in `folder`; only for
    one who knows that nobody else is writing them."""
    for draft in folder.glob(f".{name}.*.part*"):  # and what SQLite keeps beside one
        draft.unlink(missing_ok=True)


def write_file(path: Path, data: bytes) -> None:
    """Put `data` at `path`."""
    with stage_file(path) as draft:
        draft.write_bytes(data)


def move_file(source: Path, target: Path) -> None:
    """Let the file at `source` be the one at `target`, on the same file system."""
    target.parent.mkdir(exist_ok=True)
    _sync(source)
    os.replace(source, target)
    _sync(target.parent)


def _draft_of(path: Path) -> Path:
    """Hidden, and of this process alone: two that write the same file do not write the same draft."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _sync(path: Path) -> None:
    """The content of a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
