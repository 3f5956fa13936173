"""Run directories whose names nobody gave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def run_directory(named: Path | None, name: str) -> Iterator[Path]:
    """`named`, or the first of runs/NAME-1, runs/NAME-2, ... that nobody has, made at once so that nobody
    else takes it; removed again where nothing was written in it."""
    from cambrian.search.directory import claim

    if named is not None:
        yield named
        return
    place = claim("runs", name)
    try:
        yield place
    finally:
        with suppress(OSError):
            place.rmdir()
            place.parent.rmdir()
