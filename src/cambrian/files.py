"""Atomic writes: whenever this process is killed or the power fails, either the old file or the new one is
there, whole.

A file is written as a draft beside its place, flushed to the disk, and renamed. Then the folder is flushed,
so that the new name is on the disk too before anything is written that relies on it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cambrian.errors import UsageError


@contextmanager
def stage_file(path: Path) -> Iterator[Path]:
    """Yields the path of a draft to write, which replaces `path` if the block succeeds. If it fails, the
    draft is removed, since on a full disk it takes the last room."""
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
    """As `stage_file`, for a folder: yields an empty one to fill. An earlier folder is moved aside before the
    new one takes its place, and then removed."""
    draft, old = _draft_of(path), path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        make_folder(path.parent)
        draft.mkdir()
        yield draft
        for written in (*draft.rglob("*"), draft):
            _sync(written)
        if path.exists():  # a rename cannot replace a folder that holds anything
            shutil.rmtree(old, ignore_errors=True)
            os.replace(path, old)
        try:
            os.replace(draft, path)
        except BaseException:
            if old.exists():  # the earlier folder stays, as the earlier file does
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync(path.parent)
    # Not before the new name is on the disk: until then the old folder is the only one that is safe.
    shutil.rmtree(old, ignore_errors=True)


def remove_drafts(folder: Path, name: str = "*") -> None:
    """Remove the drafts of files of that name (a pattern) which killed processes left in `folder`; only for
    one who knows that nobody else is writing them."""
    for begin in (".", ".."):  # a draft may itself be written as a draft
        for draft in folder.glob(f"{begin}{name}.*.part*"):  # and what SQLite keeps beside one
            draft.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Raise UsageError where no file can be written to `path`, for want of its folder or since it is one:
    before the work whose result is to lie there."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"{path} cannot be written: name a file in a folder that exists")


def write_file(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, atomically."""
    with stage_file(path) as draft:
        draft.write_bytes(data)


def make_folder(path: Path, new: bool = False) -> None:
    """Makes a folder and those above it that are missing; raises FileExistsError for one that is to be `new`.
    Their names are on the disk before anything is written into them, which after a power failure would be
    nowhere."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=not new)
    for folder in reversed(missing):
        _sync(folder.parent)


def move_file(source: Path, target: Path) -> None:
    """Moves a file to `target`, on the same file system."""
    make_folder(target.parent)
    _sync(source)
    os.replace(source, target)
    _sync(target.parent)


def _draft_of(path: Path) -> Path:
    """A hidden name with the process's number: two processes that write one file write two drafts."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


_NO_FOLDERS = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EBADF, errno.ENOTSUP)
"""Errors where a folder cannot be flushed at all: it may be written and not read, or its file system, as some
that lie behind a network, does not do it. SQLite and PostgreSQL go on, too."""


def _sync(path: Path) -> None:
    """Flushes the content of a file, or the names in a folder, to the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDERS or not path.is_dir():
            raise
