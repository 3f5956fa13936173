"""Official files of published benchmarks whose format is public and safe to read are read as they are."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from cambrian.errors import DataError
from cambrian.estimators.tables import macro
from cambrian.spaces.chains.macro.space import Macro


def write_official(folder: Path, content: object) -> None:
    path = folder / macro.OFFICIAL
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_macro_is_read_from_its_authors_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each network is found under the codes of its layers, with its own measurements."""
    monkeypatch.setenv("CAMBRIAN_DATA", str(tmp_path))
    names = ["".join(codes) for codes in product("012", "02", "1", "0", "2", "1", "0", "12")]
    entries = {
        name: {
            "test_acc": [n, n + 1, n + 2],
            "mean_acc": n + 1.0,
            "std": 1.0,
            "params": 7 * n,
            "flops": 9 * n,
        }
        for n, name in enumerate(names)
    }
    write_official(tmp_path, entries)
    table = macro.table()
    assert len(table.rows) == len(names) == 12
    for n, name in enumerate(names):
        row = table.row(Macro(), Macro().architecture([int(code) for code in name]))
        columns = {"mean_acc": n + 1.0, "params": 7 * n, "flops": 9 * n, "first_acc": n}
        assert {column: table.column(column).values[row] for column in columns} == columns


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence that names it."""
    monkeypatch.setenv("CAMBRIAN_DATA", str(tmp_path))
    write_official(tmp_path, {"00000000": {"accuracy": 1.0}})
    with pytest.raises(DataError, match=r"nas-bench-macro_cifar10\.json is damaged or another file"):
        macro.table()
