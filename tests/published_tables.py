"""Tests that need published tables: skipped, with the sentence that says so, where these are not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.benchmarks.files import VARIABLE, tables_folder

REASON = f"set {VARIABLE} to the folder of published tables"
needs_tables = pytest.mark.skipif(tables_folder() is None, reason=REASON)


def table(*parts: str) -> Path:
    """A file or folder among the published tables; the test is skipped where it is not there."""
    path = (tables_folder() or Path("/nowhere")).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{REASON}, with {'/'.join(parts)} in it")
    return path
