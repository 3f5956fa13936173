"""Without published tables the product says what to do, and tests that need them are skipped."""

from __future__ import annotations

import pytest

from cambrian.benchmarks import benchmark, published
from cambrian.errors import DataError
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.published_files import VARIABLE, tables_folder


@pytest.mark.parametrize("said", [None, "", "  ", "nowhere", "hollow"])
def test_an_empty_or_missing_folder_is_absent(monkeypatch, tmp_path, said):
    """Not set, empty, blank, a folder that is not there or one with nothing in it: one sentence, the same
    everywhere, whatever lies in the working directory or was read before."""
    (tmp_path / "hollow").mkdir()
    (tmp_path / "nb201").mkdir()
    monkeypatch.chdir(tmp_path)
    published.cache_clear()
    open_table.cache_clear()
    monkeypatch.delenv(VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(VARIABLE, said)
    assert tables_folder() is None
    with pytest.raises(
        DataError, match=f"needs the table .*: set {VARIABLE}.* to the folder of published tables"
    ):
        benchmark("nb201-cifar10").estimator.prepare()
