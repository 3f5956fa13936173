"""Tests that need published tables: skipped, with the sentence that says so, where these are not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.estimators.tables.published_files import VARIABLE, tables_folder

REASON = f"set {VARIABLE} to the folder of published tables"
NEEDED = ("nb201", "nasbench_macro", "ec_nasbench", "spikenas_bench")


def _is_there(name: str) -> bool:
    folder = tables_folder()
    return folder is not None and (folder / name).is_dir()


needs_tables = pytest.mark.skipif(
    not all(map(_is_there, NEEDED)), reason=f"{REASON}, with {', '.join(NEEDED)} in it"
)


def table(*parts: str) -> Path:
    """A file or folder among the published tables; the test is skipped where it is not there."""
    path = (tables_folder() or Path("/nowhere")).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{REASON}, with {'/'.join(parts)} in it")
    return path
