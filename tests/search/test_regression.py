"""A search that predicts numbers, from the command to predictions in their own unit."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score

import cambrian
from cambrian.cli.scikit_models import fit_scikit
from cambrian.errors import DataError, Incompatible, UsageError
from cambrian.exports.predict import _name_classes, model_facts, predict_files, write_table
from cambrian.goal import Goal
from cambrian.networks.normalisation import in_unit
from cambrian.search.delivery.prediction import name_predictions
from cambrian.search.planning import table_plan
from cambrian.search.planning.plan import plan
from cambrian.search.search import Search

ROWS = 240
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 3)).round(4)
Y = 250_000 + 40_000 * X[:, 0] - 20_000 * X[:, 1]
"""Prices that follow a plane without noise, far from 0 and with a large deviation."""


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("houses") / "houses.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "price"])
        writer.writerows([*row, round(price, 2)] for row, price in zip(X, Y, strict=True))
    return path


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_plan, "_measure_one", lambda *arguments: 1e-5)


@pytest.fixture(scope="module")
def result(houses: Path, tmp_path_factory: pytest.TempPathFactory) -> cambrian.Result:
    """By rmse: lower is better."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_plan, "_measure_one", lambda *arguments: 1e-5)
        task = cambrian.load(houses, target="price", metric="rmse")
        planned = plan(task, "5", workers=1, changes={"epochs": 40, "filters": 8})
        return planned.run(tmp_path_factory.mktemp("runs") / "run", quiet=True)


def test_a_plane_is_learned(result: cambrian.Result) -> None:
    """The best network has the lowest error, and all metrics agree with its predictions of the test part."""
    assert result.objective.minimize
    values = [t.value for t in result.trials if t.value is not None]
    assert result.best is not None
    assert result.best.value == min(values)
    task, winner = result.task, result.winner
    assert task is not None
    assert winner is not None
    predictions = result.predict(task.inputs[task.test])
    assert predictions.numbers is not None
    truth = task.targets[task.test]
    metrics = winner.outcome.metrics  # type: ignore[union-attr]
    assert winner.value == metrics["test_rmse"]
    assert metrics["test_rmse"] == pytest.approx(
        np.sqrt(np.mean((predictions.numbers - truth) ** 2)), rel=1e-3
    )
    assert metrics["test_r2"] == pytest.approx(r2_score(truth, predictions.numbers), abs=1e-4)
    assert metrics["test_r2"] > 0.8


@pytest.mark.slow
@pytest.mark.usefixtures("clean_is_forked")
def test_the_export_speaks_in_the_unit(result: cambrian.Result, houses: Path, tmp_path: Path) -> None:
    """The exported program gives prices, the same as the run's own, and `predict` writes them."""
    exported = cambrian.export(result, tmp_path / "out")
    rows = predict_files(exported, [houses])
    numbers = np.array([float(row.label) for row in rows])
    own = result.predict(houses).numbers
    assert np.allclose(numbers, own, rtol=2e-7)  # a standard score is a float32
    assert r2_score(Y, numbers) > 0.8
    write_table(rows, tmp_path / "prices.csv", "price")
    written = list(csv.DictReader((tmp_path / "prices.csv").read_text().splitlines()))
    assert list(written[0]) == ["file", "price"]
    assert float(written[0]["price"]) == pytest.approx(numbers[0], rel=1e-5)
    assert model_facts(exported)["goal"]["kind"] == "numbers"
    readme = (exported / "README.md").read_text()
    assert "a network that predicts numbers from rows" in readme
    assert "softmax" not in readme
    if (exported / "network.py").exists():
        assert model_facts(exported)["source_difference"] is not None


def test_near_numbers_stay_apart() -> None:
    """Prices that differ by hundredths beside a million: the program holds them, and both ways write them."""
    scores = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    goal = Goal("numbers", 1_234_567, 1.0)
    prices = in_unit(torch.nn.Identity(), goal)(torch.from_numpy(scores)).numpy()
    assert np.abs(prices - (1_234_567 + scores.astype(np.float64))).max() < 1e-9
    own = name_predictions(scores, ("price",), goal).labels
    facts = {"labels": ["price"], "goal": {"kind": "numbers", "mean": 1_234_567.0}}
    assert [row.label for row in _name_classes(own, prices, facts)] == list(own)
    assert len(set(own)) == 200
    assert np.abs(np.array(own, float) - prices[:, 0]).max() < 0.006


def test_the_report_shows_the_predicted_beside_the_true(result: cambrian.Result, tmp_path: Path) -> None:
    """A point for each test example, the largest errors, and the direction of the metric."""
    text = cambrian.report(result, tmp_path / "report.html").read_text()
    assert "predicted and true" in text
    assert "Largest errors" in text
    assert "rmse, lower is better" in text


def test_boosting_is_scikit_learns(houses: Path) -> None:
    """The baseline's score is that of scikit-learn's regressor on the same parts, in the task's metric."""
    task = cambrian.load(houses, target="price", metric="mae")
    rows, learned = task.inputs[:, 0, 0], np.concatenate([task.train, task.validation])
    trees = HistGradientBoostingRegressor(random_state=0).fit(rows[learned], task.targets[learned])
    expected = np.abs(trees.predict(rows[task.test]) - task.targets[task.test]).mean()
    assert fit_scikit(task) == pytest.approx(expected)


def test_the_direction_cannot_be_wrong(houses: Path) -> None:
    """An error is never maximised, a share never minimised; a proxy that is to be high leaves it to the
    final networks to be compared by an error."""
    low = cambrian.load(houses, target="price", metric="rmse")
    with pytest.raises(UsageError, match="rmse is an error: it cannot be maximised"):
        Search("tabular", "random", "train", low, 2, minimize=False)
    with pytest.raises(UsageError, match="r2 is a share"):
        Search("tabular", "random", "train", cambrian.load(houses, target="price"), 2, minimize=True)
    search = plan(low, "2", workers=1, estimator={"name": "proxy", "arguments": {"measure": "params"}}).search
    assert search.final is not None
    assert (search.directions[""], search.directions[search.final.estimator]) == (False, True)


def test_supernets_learn_classes_alone(houses: Path) -> None:
    """Refused in a sentence that names another strategy, before anything is trained."""
    task = cambrian.load(houses, target="price")
    with pytest.raises(
        Incompatible, match=r"spos trains a supernet.*houses has numbers \(price\).*evolution"
    ):
        plan(task, "2", workers=1, strategy="spos", space="tabular")


def test_images_are_predicted(tmp_path: Path) -> None:
    """The brightness of small images, by a space of convolutions and a strategy that knows no numbers."""
    brightness = RNG.random(160)
    images = (brightness[:, None, None] + 0.05 * RNG.normal(size=(160, 6, 6))).astype(np.float32)
    task = cambrian.load((images, 10 * brightness), goal="numbers")
    search = Search("tiny-chain", "random", "train", task, 2, fidelity=cambrian.Fidelity(12), workers=1)
    result = search.run(tmp_path / "run", quiet=True)
    assert result.winner is not None
    assert result.winner.value is not None
    assert result.winner.value > 0.5


@pytest.mark.slow
def test_a_regressor_is_scikit_learns_kind() -> None:
    """`score` is r2; labels that are words are refused in a sentence."""
    model = cambrian.Regressor("3", workers=1).fit(X[::2], Y[::2])
    assert model.score(X[1::2], Y[1::2]) == pytest.approx(r2_score(Y[1::2], model.predict(X[1::2])))
    assert model.score(X[1::2], Y[1::2]) > 0.5
    assert model.get_params()["budget"] == "3"
    with pytest.raises(DataError, match="'dear' is not a number"):
        cambrian.Regressor("2").fit(X[:40], ["dear", "cheap"] * 20)
