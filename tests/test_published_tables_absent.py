"""Without published tables the product says what to do, and tests that need them are skipped."""

from __future__ import annotations

import pytest

from cambrian.benchmarks import benchmark
from cambrian.benchmarks.files import VARIABLE, tables_folder
from cambrian.errors import DataError


@pytest.mark.parametrize("said", [None, "", "  ", "/no/such/folder"])
def test_an_empty_or_missing_folder_is_absent(monkeypatch, said):
    """Not set, empty, blank, or a folder that is not there: one sentence, the same everywhere."""
    monkeypatch.delenv(VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(VARIABLE, said)
    assert tables_folder() is None
    with pytest.raises(
        DataError, match=f"needs the table .*: set {VARIABLE}.* to the folder of published tables"
    ):
        benchmark("nb201-cifar10").estimator.prepare()
