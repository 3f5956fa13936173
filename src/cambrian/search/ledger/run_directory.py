"""A run directory while one process works in it: locked, with its ledger and its task."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cambrian.errors import CambrianError, RunError, UsageError
from cambrian.files import make_folder, remove_drafts
from cambrian.search.ledger.database import SIDES
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import LOCK, Lock
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.store import Store

LEDGER = "ledger.sqlite"

TASK, CHECKPOINTS = "task", "checkpoints"
OURS = (LEDGER, *(f"{LEDGER}{side}" for side in SIDES), TASK)
"""What is made in a run directory before the first trial, besides its lock."""


def name_place(directory: str | os.PathLike[str] | None) -> Path | None:
    """The path of the run directory that is given; None where none is. Raises UsageError for an empty text,
    which would be the present folder."""
    if directory is None:
        return None
    if not isinstance(directory, str | os.PathLike) or not os.fspath(directory):
        raise UsageError(
            f"the run directory is a path, such as 'runs/mine', got {directory!r:.80}: leave it out for"
            " a new one, or give '.' for the present folder"
        )
    if "\0" in os.fspath(directory):
        raise UsageError(f"the run directory {directory!r:.80} has a null character, as no file can")
    return Path(directory)


def claim(name: str, root: Path = Path("runs")) -> Path:
    """Make the first of ROOT/NAME-1, ROOT/NAME-2, ... that does not exist: searches begun at the same time
    have one each. Raises UsageError where none can be made."""
    with _making(root):
        make_folder(root)
    for number in count(1):
        place = root / f"{name}-{number}"
        # mkdir itself decides who was first: to look before would leave room for a race.
        with _making(place), suppress(FileExistsError):
            make_folder(place, new=True)
            return place
    raise AssertionError("there is always a next number")


def disclaim(place: Path) -> None:
    """Remove the directory that `claim` made, where it is empty."""
    with suppress(OSError):
        place.rmdir()
        place.parent.rmdir()


@contextmanager
def choose_place(named: Path | None, name: str) -> Iterator[Path]:
    """The directory `named`; without one, the first that `claim` makes for `name`, which goes where the block
    fails before anything lies in it."""
    if named is not None:
        yield named
        return
    place = claim(name)
    try:
        yield place
    except BaseException:
        disclaim(place)
        raise


def check_place(place: Path) -> None:
    """Raise UsageError where no run directory can be at `place`, as where a file lies on the way: before the
    work that ends there."""
    place = place.absolute()
    with _making(place):
        there = next(path for path in (place, *place.parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"cannot make the run directory {place}: {there} is a file")


def check_apart(place: Path | None, data: str) -> None:
    """Raise UsageError where the run directory, or without one the place of all, would lie in the folder that
    the data are read from: the next reader would take it for a class. `data` may also be a name."""
    # Not the present folder, which an empty path is too: who reads the data refuses it.
    if not data:
        return
    source, named = Path(data).absolute(), Path("runs") if place is None else place
    with _making(named):
        if not source.is_dir() or source.resolve() not in (named.resolve(), *named.resolve().parents):
            return
    raise UsageError(
        f"the run directory {named} would lie in the folder of the data, {data!r}, and be read as part of"
        " them: name one elsewhere by --run"
    )


def read_begun(place: Path) -> dict[str, Any] | None:
    """The facts of the run that was begun in `place`; None where none was: without a ledger, or with one that
    a kill left before its settings were there. Raises RunError, LedgerCorrupt."""
    with _making(place):
        there = (place / LEDGER).exists()
    if not there:
        return None
    ledger = Ledger.read(place / LEDGER)
    try:
        facts = ledger.facts()
    finally:
        ledger.close()
    return facts if "settings" in facts else None


@contextmanager
def at_work(place: Path | None) -> Iterator[Ledger]:
    """The ledger of the run in `place`, made where there is none, and locked against other processes until
    the end; in memory without a place. Where the block fails before the run has begun, nothing is left that
    was made for it. Raises RunBusy, RunError, LedgerCorrupt."""
    if place is None:
        with closing(Ledger.create(None)) as ledger:
            yield ledger
        return
    path = place / LEDGER
    with _making(place):
        new_lock = not (place / LOCK).exists()
        missing = [folder for folder in (place, *place.parents) if not folder.exists()]
        make_folder(place)
    # Before the ledger is looked at: of two processes that find none, one makes it and the other is refused.
    lock = Lock(place)
    there = {file for file in map(place.joinpath, OURS) if file.exists()}
    refused = path not in there
    try:
        remove_drafts(place, LEDGER)  # whose writers are dead: the lock is ours
        remove_drafts(place / TASK)
        with closing(Ledger.open(path) if path.exists() else Ledger.create(path)) as ledger:
            try:
                yield ledger
                refused = False
            except BaseException as error:
                refused = refused and not _has_begun(ledger, error)
                raise
    finally:
        if refused:
            _remove({*map(place.joinpath, OURS)} - there)
            if new_lock:
                lock.remove()
        lock.release()
        for folder in missing if refused else ():
            with suppress(OSError):  # somebody else's files are in it
                folder.rmdir()


@contextmanager
def working_place(place: Path | None, keeps: bool) -> Iterator[Path | None]:
    """The folder where evaluations find and leave files: the run's directory, or, for a run in memory that
    `keeps` weights of trials for later ones, a temporary one."""
    if place is not None or not keeps:
        yield place
        return
    with TemporaryDirectory(prefix="cambrian-") as folder:
        yield Path(folder)


def prepare_task(task: Any, place: Path | None) -> Path | None:
    """Write the task into `place`, where workers map it into memory. Returns its folder, None without a task
    or place. Raises RunError."""
    if task is None or place is None:
        return None
    from cambrian.tasks import prepare

    try:
        prepare(task, place / TASK)
    except OSError as error:
        raise RunError(f"cannot write the data into {place / TASK}: {error.strerror or error}") from error
    return place / TASK


def clear_leftovers(place: Path, rows: Sequence[Row]) -> None:
    """Remove from the run in `place` the files that nobody will ask for, which a kill leaves: drafts of
    evaluations, artifacts that no row names, checkpoints of rows that have ended."""
    store = Store(place)
    store.discard_all()
    store.sweep(artifact for row in rows for artifact in row.trial.artifacts.values())
    for row in rows:
        if row.state != "running":
            shutil.rmtree(place / CHECKPOINTS / row.name, ignore_errors=True)


@contextmanager
def _making(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot make the run directory {place}: {error.strerror or error}") from error


def _has_begun(ledger: Ledger, error: BaseException) -> bool:
    """Whether a run that fails with `error` is one to go on with: it has trials, or it was stopped before it
    had any."""
    try:
        return bool(ledger.rows()) if isinstance(error, Exception) else "settings" in ledger.facts()
    except CambrianError:  # its ledger cannot be read: what is there may be of use
        return True


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            with suppress(OSError):
                file.unlink()
