"""A run directory while one process works in it: locked, with its ledger and its task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from cambrian.errors import RunError, UsageError
from cambrian.search.ledger import Ledger
from cambrian.search.lock import Lock
from cambrian.search.settings import LEDGER


@contextmanager
def at_work(place: Path | None) -> Iterator[Ledger]:
    """The ledger of the run in `place`, made where there is none, and nobody else at work there until
    the end; in memory without a place. Raises RunBusy, RunError, LedgerCorrupt."""
    if place is None:
        yield from _closing(Ledger.create(None))
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the run directory {place}: {error.strerror}") from error
    lock = Lock(place)
    try:
        path = place / LEDGER
        yield from _closing(Ledger.open(path) if path.exists() else Ledger.create(path))
    finally:
        lock.release()


def claim(root: str | Path, name: str) -> Path:
    """A new directory, the first of ROOT/NAME-1, ROOT/NAME-2, ... that nobody has: of several processes that
    ask at once each gets one of its own. Raises UsageError where none can be made."""
    for number in count(1):
        place = Path(root) / f"{name}-{number}"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.mkdir()
        except FileExistsError:
            if not place.parent.is_dir():
                raise UsageError(f"cannot make a run directory in {root}: it is a file") from None
            continue
        except OSError as error:
            raise UsageError(f"cannot make the run directory {place}: {error.strerror}") from error
        return place
    raise AssertionError("there is always another number")


def prepared(task: Any, place: Path | None) -> Path | None:
    """The task on disk in `place`, where workers map it into memory."""
    if task is None or place is None:
        return None
    from cambrian.tasks import prepare

    try:
        prepare(task, place / "task")
    except OSError as error:
        raise RunError(f"cannot write the data into {place / 'task'}: {error.strerror}") from error
    return place / "task"


def _closing(ledger: Ledger) -> Iterator[Ledger]:
    try:
        yield ledger
    finally:
        ledger.close()
