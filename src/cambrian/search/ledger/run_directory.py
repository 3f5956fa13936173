"""A run directory while one process works in it: locked, with its ledger and its task."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cambrian.errors import RunError, UsageError
from cambrian.files import remove_drafts
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.store import Store

LEDGER = "ledger.sqlite"

TASK, CHECKPOINTS = "task", "checkpoints"


def claim(name: str, root: Path = Path("runs")) -> Path:
    """Make the first of ROOT/NAME-1, ROOT/NAME-2, ... that does not exist: searches begun at the same time
    have one each. Raises UsageError where none can be made."""
    with _making(root):
        root.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        place = root / f"{name}-{number}"
        # mkdir itself decides who was first: to look before would leave room for a race.
        with _making(place), suppress(FileExistsError):
            place.mkdir()
            return place
    raise AssertionError("there is always a next number")


def disclaim(place: Path) -> None:
    """Remove the directory that `claim` made, where it is empty."""
    with suppress(OSError):
        place.rmdir()
        place.parent.rmdir()


@contextmanager
def at_work(place: Path | None) -> Iterator[Ledger]:
    """The ledger of the run in `place`, made where there is none, and locked against other processes until
    the end; in memory without a place. Raises RunBusy, RunError, LedgerCorrupt."""
    if place is None:
        yield from _closing(Ledger.create(None))
        return
    with _making(place):
        place.mkdir(parents=True, exist_ok=True)
    # Before the ledger is looked at: of two processes that find none, one makes it and the other is refused.
    lock = Lock(place)
    try:
        path = place / LEDGER
        remove_drafts(place, LEDGER)  # whose writers are dead: the lock is ours
        remove_drafts(place / TASK)
        yield from _closing(Ledger.open(path) if path.exists() else Ledger.create(path))
    finally:
        lock.release()


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


def _closing(ledger: Ledger) -> Iterator[Ledger]:
    try:
        yield ledger
    finally:
        ledger.close()
