"""`pnas-bench`: the order of its trainings, its files of rows, the packed table, and searches on it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cambrian.benchmarks import benchmark, play, published
from cambrian.errors import DataError
from cambrian.estimators.tables import open_table, pnas_bench
from cambrian.spaces.cells.pnas import PNAS
from cambrian.strategies import STRATEGIES
from cambrian.strategies.progressive import Progressive

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pnas_bench.py"
CELLS = 136 + 200


@pytest.fixture(scope="module")
def script() -> ModuleType:
    sys.path.insert(0, str(SCRIPT.parent))  # for its own imports
    spec = importlib.util.spec_from_file_location("pnas_bench_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pnas_bench_script"] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    return module


@pytest.fixture(scope="module")
def items(script: ModuleType) -> list:
    return script.list_items(CELLS)


def fake_training(cell, replicate, epochs):
    """A row whose last validation accuracy says which cell and training it is of."""
    operations = [o for block in cell for o in block[2:]]
    final = 0.5 + 0.05 * len(cell) - 0.01 * operations.count(4) + 0.001 * replicate + 1e-5 * sum(operations)
    curve = [final * (n + 1) / epochs for n in range(epochs)]
    row = {"cell": cell, "replicate": replicate, "validation": curve, "validation_loss": curve}
    seconds = [float(n + 1) for n in range(epochs)]
    return row | {"train_loss": curve, "seconds": seconds, "test": final - 0.02, "params": 7, "macs": 9}


@pytest.fixture(scope="module")
def folder(script: ModuleType, items: list, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rows")
    for share in range(2):
        path = place / f"rows-{share + 1}-of-2.jsonl"
        rows = [fake_training(cell, replicate, script.EPOCHS) for cell, replicate in items[share::2]]
        path.write_text("".join(json.dumps(line) + "\n" for line in (script.SETTING, *rows)))
    return place


@pytest.fixture
def packed(script: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packed table, in a folder of published tables."""
    target = tmp_path / pnas_bench.FILE
    target.parent.mkdir()
    script.pack_rows(folder, target)
    monkeypatch.setenv("CAMBRIAN_DATA", str(tmp_path))
    forget_tables()
    yield target
    forget_tables()


def forget_tables() -> None:
    from cambrian.benchmarks.table_space import _tree

    for cached in (published, open_table, _tree):
        cached.cache_clear()


def test_every_beginning_of_the_order_is_useful(items):
    """The 136 cells of one block come first, then thirty of them twice more, then cells of two to five blocks
    in turn; no two cells are the same function, and the first blocks of each stand before it."""
    space = PNAS()
    assert len({cell for cell, _ in items[:136]}) == 136
    assert [replicate for _, replicate in items[136:196]] == [1] * 30 + [2] * 30
    cells = [cell for cell, replicate in items if replicate == 0]
    assert [len(cell) for cell in cells[136:148]] == [2, 3, 4, 5] * 3
    assert len({space.canonical(space.architecture(cell)) for cell in cells}) == len(cells) == CELLS
    assert all(cell[:-1] in cells[:n] for n, cell in enumerate(cells) if len(cell) > 1)
    three = {cell for cell, replicate in items if replicate == 2}
    assert len(three) == 30 + 4 * 20


def test_trainings_go_on_where_they_were_killed(script, tmp_path, monkeypatch):
    """A line that a kill left unfinished is trained anew, and no training is done twice."""
    trained = []

    def train(cell, replicate, task):
        trained.append((cell, replicate))
        row = fake_training(cell, replicate, script.EPOCHS)
        return {name: value for name, value in row.items() if name not in ("cell", "replicate")}

    monkeypatch.setattr(script, "train_cell", train)
    monkeypatch.setattr(script, "load_task", lambda: None)
    asked = SimpleNamespace(out=tmp_path, share=(0, 1), cells=5, hours=1.0)
    script.run_trainings(asked)
    path = tmp_path / "rows-1-of-1.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    asked.cells = 7
    script.run_trainings(asked)
    rows = script.read_folder(tmp_path)
    assert [row["cell"] for row in rows] == [cell for cell, _ in script.list_items(7)]
    assert len(trained) == 5 + 3


def test_rows_of_another_setting_are_refused(script, tmp_path):
    (tmp_path / "rows-1-of-1.jsonl").write_text(json.dumps({**script.SETTING, "epochs": 99}) + "\n")
    with pytest.raises(SystemExit, match="rows of another setting"):
        script.read_folder(tmp_path)


def test_the_packed_table_has_every_row(script, items, packed):
    """Each cell's curve, size and seconds are those of its first training; its test score is the mean over
    all; a cell with its blocks in another order has the same row."""
    assert packed.stat().st_size < 100_000
    table, space = open_table("pnas-bench"), PNAS()
    repeated = next(cell for cell, replicate in items if replicate == 2 and len(cell) == 2)
    row = table.row(space, space.architecture(repeated))
    rows = [fake_training(repeated, replicate, script.EPOCHS) for replicate in range(3)]
    assert table.column("validation").values[row] == pytest.approx(rows[0]["validation"])
    assert table.column("test").at(row, 0) == pytest.approx(100 * np.mean([r["test"] for r in rows]))
    assert table.column("trainings").at(row, 0) == 3
    turned = [(j, i, q, p) for i, j, p, q in repeated]
    assert table.row(space, space.architecture(turned)) == row


def test_the_card_says_how_much_is_noise(script, folder):
    """The card counts cells by blocks, and the deviation of one training is the one that was put in: 0.001
    times that of 0, 1, 2."""
    card = write_card(script, folder)
    assert "| 1 | 136 |" in card
    assert "deviation of one training 0.0010" in card
    assert "0 cells that are another one in a different order; 0 whose first blocks are no row" in card


def write_card(script, folder):
    from pnas_bench_table import describe

    return describe(script.read_folder(folder), script.SETTING)


def test_strategies_search_the_table(packed):
    """Progressive search grows cells of the table from one block on; evolution and random search are offered
    rows only. The values are those of the rows."""
    made = benchmark("pnas-bench")
    assert made.space.count == CELLS
    played = play(made, Progressive(keep=5, surrogate="ridge"), 160)
    levels = [t.reason["level"] for t in played.trials]
    assert levels[:136] == [1] * 136
    assert max(levels) == 5
    best = max(played.trials, key=lambda t: t.value)
    assert int(best.architecture["blocks"]) == 5
    assert best.outcome.metrics == {"params": 7.0, "macs": 9.0}
    for name in ("random", "evolution(population=10, sample=5)"):
        assert all(t.value is not None for t in play(made, STRATEGIES.parse(name), 30).trials)


def test_without_the_file_one_sentence_names_the_command(tmp_path, monkeypatch):
    """Where neither the folder of tables nor the package has the file, the sentence says what makes it."""
    monkeypatch.setattr(pnas_bench, "PACKAGED", tmp_path / "nowhere.npz")
    monkeypatch.setenv("CAMBRIAN_DATA", "")
    with pytest.raises(DataError, match=r"pnas_bench.npz: set CAMBRIAN_DATA .*pnas_bench.py` makes it"):
        pnas_bench.find_file()
