"""A search for the rows of a table, from the command to predictions."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import cambrian
from cambrian.cli.scikit_models import fit_scikit
from cambrian.errors import Unread
from cambrian.exports.predict import predict_files
from cambrian.search.planning import table_plan
from cambrian.search.planning.plan import plan
from cambrian.search.planning.table_plan import (
    FEWEST,
    LEAST_EPOCHS,
    MEAN_LENGTH,
    MOST_EPOCHS,
    OVERHEAD,
    SHARE,
    STEPS,
    choose_epochs,
)
from cambrian.spaces.chains.tabular.space import TabularNetworks

ROWS = 240


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class follows from a number and a category; a fifth of the numbers is missing."""
    rng = np.random.default_rng(0)
    numbers, words = rng.normal(size=ROWS), rng.choice(["red", "blue"], ROWS)
    gaps = rng.random(ROWS) < 0.2
    kinds = np.where(words == "red", "warm", np.where(numbers > 0, "mild", "cold"))
    path = tmp_path_factory.mktemp("table") / "weather.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "colour", "kind"])
        writer.writerows(
            zip(
                np.where(gaps & (words == "red"), "", numbers.round(4).astype(str)), words, kinds, strict=True
            )
        )
    return path


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_plan, "_measure_one", lambda *arguments: 1e-5)


@pytest.mark.usefixtures("clean_is_forked")
def test_a_table_is_learned_and_predicted(table: Path, tmp_path: Path) -> None:
    """Six networks are enough for a rule that is in the data; the export predicts rows of the file."""
    task = cambrian.load(table, target="kind")
    planned = plan(task, "6", workers=1, changes={"epochs": 30, "filters": 4})
    labels = [label for label, _ in planned.rows]
    assert labels == ["data", "space", "strategy", "each", "then", "machine", "time"]
    result = planned.run(tmp_path / "run", quiet=True)
    assert result.winner is not None
    assert result.winner.value is not None
    assert result.winner.value > 0.9
    assert fit_scikit(task) > 0.9
    exported = cambrian.export(result, tmp_path / "out")
    rows = predict_files(exported, [table])
    truth = [row["kind"] for row in csv.DictReader(table.read_text().splitlines())]
    assert np.mean([row.label == kind for row, kind in zip(rows, truth, strict=True)]) > 0.9
    assert rows[2].file == f"{table}:3"
    assert list(result.predict(table).labels) == [row.label for row in rows]
    assert "a classifier of rows" in (exported / "README.md").read_text()


@pytest.mark.parametrize("strategy", ["random", "bayes", "evolution", "progressive"])
def test_a_search_begins_with_networks_made_by_hand(table: Path, tmp_path: Path, strategy: str) -> None:
    """Whatever the strategy; their names are in the plan and in the last table."""
    task = cambrian.load(table, target="kind")
    planned = plan(
        task, "2", workers=1, strategy=strategy, changes={"epochs": 1, "final_epochs": 1, "filters": 4}
    )
    assert "first ft-transformer and resnet" in dict(planned.rows)["strategy"]
    result = planned.run(tmp_path / "run", quiet=True)
    space = TabularNetworks()
    assert [t.architecture for t in result.trials if t.kind == "trial"] == list(space.begins.values())
    assert {t.role for t in result.finals} & {"baseline resnet", "baseline ft-transformer"}


def test_networks_made_by_hand_keep_the_limits(table: Path, tmp_path: Path) -> None:
    """They are as wide as the limit allows, so that none is refused, and the run is resumed with the same."""
    task = cambrian.load(table, target="kind")
    planned = plan(task, "2", workers=1, changes={"epochs": 1, "final_epochs": 1}, limits={"params": 60_000})
    assert "first ft-transformer and resnet" in dict(planned.rows)["strategy"]
    result = planned.run(tmp_path / "run", quiet=True)
    assert [t.reason["begins"] for t in result.trials] == ["ft-transformer", "resnet"]
    assert all(t.value is not None for t in result.trials)
    begun = [t.architecture for t in result.trials]
    assert {t.architecture for t in result.finals if t.value is not None} >= set(begun)  # beside the winner
    assert [a["width"] for a in begun] == [0.5, 0.5]
    assert [a["train.length"] for a in begun] == [1.0, 0.25]
    resumed = cambrian.Search.resume(tmp_path / "run", 3).run(tmp_path / "run", quiet=True)
    assert [t.architecture for t in resumed.trials][:2] == begun


@pytest.mark.parametrize(
    ("params", "changes", "filters", "names"),
    [
        (10**6, {}, 16, ["ft-transformer", "resnet"]),
        (30_000, {}, 16, ["ft-transformer"]),
        (5_000, {}, 4, ["ft-transformer", "resnet"]),
        (5_000, {"filters": 16}, 16, []),
        (10, {}, 4, []),
    ],
)
def test_a_narrow_limit_takes_fewer_filters(
    table: Path, params: int, changes: dict[str, int], filters: int, names: list[str]
) -> None:
    """Where no network by hand keeps it at its smallest width, unless somebody names the filters."""
    task = cambrian.load(table, target="kind")
    planned = plan(task, "2", workers=1, changes=changes, limits={"params": params})
    assert planned.search.fidelity.skeleton == {"filters": filters}
    assert list(planned.search.space.begins) == names
    rows = dict(planned.rows)
    assert ("first" in rows["strategy"]) == bool(names)
    left = [name for name in ("ft-transformer", "resnet") if name not in names]
    said = {"left out": f"{' and '.join(left)}, over a limit at every width"} if left else {}
    assert {label: text for label, text in rows.items() if label == "left out"} == said


def test_epochs_follow_the_time() -> None:
    """Never more than the most, never fewer than the least, and in between as many as leave time for TRIALS
    networks, or for STEPS steps of at least FEWEST."""
    counts = [choose_epochs(300, 64, 1e-3, seconds, 2) for seconds in (1, 20, 40, 80, 160, 10_000)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (LEAST_EPOCHS, MOST_EPOCHS)
    assert choose_epochs(300, 64, 1e-3, None, 2) == MOST_EPOCHS


@pytest.mark.parametrize("speed", [1e-5, 1e-4, 3e-4, 1e-3])
def test_few_trainings_are_long_enough_to_learn(speed: float) -> None:
    """Of 2,000 rows in 30 steps a pass: at every speed the longest training has STEPS steps or the time is
    over with FEWEST networks, counted here one by one."""
    rows, batch, seconds, workers = 2000, 64, 60, 2
    epochs = choose_epochs(rows, batch, speed, seconds, workers)
    each = OVERHEAD + MEAN_LENGTH * epochs * rows * speed
    networks = seconds * (1 - SHARE) * workers / each
    assert epochs * rows / batch >= STEPS or networks < FEWEST * (1 + 1 / epochs)
    assert networks >= FEWEST or epochs == LEAST_EPOCHS


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"changes": {"levels": 2}}, "levels"),
        ({"paper": True}, "paper"),
        ({"surrogate": "ridge"}, "surrogate"),
        ({"recipe": {"weight_decay": 0.1}}, "weight_decay"),
    ],
)
def test_settings_of_other_searches_are_refused(table: Path, settings: dict, name: str) -> None:
    task = cambrian.load(table, target="kind")
    with pytest.raises(Unread) as caught:
        plan(task, "1m", **settings)
    assert caught.value.names == [name]


@pytest.mark.parametrize(
    ("estimator", "words"), [(max, "what max says of the network"), ("naswot", "naswot of")]
)
def test_the_plan_says_what_ranks_networks_that_are_not_trained(
    table: Path, estimator: object, words: str
) -> None:
    """A function or a proxy has no epochs."""
    rows = dict(plan(cambrian.load(table, target="kind"), "2", workers=1, estimator=estimator).rows)
    assert rows["each"].startswith(words)
