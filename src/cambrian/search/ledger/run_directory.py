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
from cambrian.search.ledger.ledger import Ledger, Row
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.store import Store
from cambrian.search.settings import LEDGER

TASK, CHECKPOINTS = "task", "checkpoints"


def claim(name: str, root: Path = Path("runs")) -> Path:
    """The first of ROOT/NAME-1, ROOT/NAME-2, ... that is not there, made: of searches begun at the same
    time each has its own. Raises UsageError where none can be made."""
    with _making(root):
        root.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        place = root / f"{name}-{number}"
        with _making(place), suppress(FileExistsError):
            place.mkdir()
            return place
    raise AssertionError("there is always a next number")


def disclaim(place: Path) -> None:
    """Give back what `claim` made, where nothing has been put into it."""
    with suppress(OSError):
        place.rmdir()
        place.parent.rmdir()


@contextmanager
def at_work(place: Path | None) -> Iterator[Ledger]:
    """The ledger of the run in `place`, made where there is none, and nobody else at work there until
    the end; in memory without a place. Raises RunBusy, RunError, LedgerCorrupt."""
    if place is None:
        yield from _closing(Ledger.create(None))
        return
    with _making(place):
        place.mkdir(parents=True, exist_ok=True)
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
    """Where evaluations find and leave files: the run's directory, or, of a run in memory one trial of which
    may begin with what another left, a temporary one."""
    if place is not None or not keeps:
        yield place
        return
    with TemporaryDirectory(prefix="cambrian-") as folder:
        yield Path(folder)


def prepare_task(task: Any, place: Path | None) -> Path | None:
    """The task on disk in `place`, where workers map it into memory."""
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
