"""Searches for several labels an example, and for several classifications by one network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score

import cambrian
from cambrian.cli.display.summary import summarise
from cambrian.cli.scikit_models import fit_scikit
from cambrian.exports.predict import predict, predict_files
from cambrian.goal import Goal
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.recipe import Recipe
from cambrian.search.planning import table_plan
from cambrian.search.planning.plan import plan

ROWS = 240
RNG = np.random.default_rng(2)
X = RNG.normal(size=(ROWS, 3)).round(3)
SKIES = [
    ";".join(name for name, on in (("sun", row[0] > 0), ("wind", row[1] > 0.3), ("rain", row[0] < 0.5)) if on)
    or "none"
    for row in X
]
SIZES = [("small", "middle", "large")[int(row[0] > -0.4) + int(row[0] > 0.4)] for row in X]
COLOURS = [("red", "blue")[int(row[1] + row[2] > 0)] for row in X]


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_plan, "_measure_one", lambda *arguments: 1e-5)


def write_csv(path: Path, **columns: Any) -> Path:
    named = {f"x{n}": X[:, n] for n in range(3)} | columns
    rows = [",".join(map(str, row)) for row in zip(*named.values(), strict=True)]
    path.write_text("\n".join([",".join(named), *rows]))
    return path


def search(path: Path, target: str, place: Path) -> cambrian.Result:
    task = cambrian.load(path, target=target)
    planned = plan(task, "3", workers=1, changes={"epochs": 30, "filters": 4}, baselines=())
    return planned.run(place, quiet=True)


@pytest.mark.slow
@pytest.mark.usefixtures("clean_is_forked")
def test_labels_are_learned(tmp_path: Path) -> None:
    """The metrics are scikit-learn's of the network's probabilities; the export gives sets of labels."""
    path = write_csv(tmp_path / "sky.csv", sky=SKIES)
    result = search(path, "sky", tmp_path / "run")
    task, winner = result.task, result.winner
    assert task is not None
    assert winner is not None
    probabilities = result.predict(task.inputs[task.test]).probabilities
    truth = task.targets[task.test]
    present = truth.any(0)
    assert winner.value == pytest.approx(
        average_precision_score(truth[:, present], probabilities[:, present], average="macro"), abs=1e-6
    )
    assert winner.value > 0.8
    exported = cambrian.export(result, tmp_path / "out")
    assert np.allclose(predict(exported, task.inputs[task.test]), probabilities, atol=1e-5)
    rows = predict_files(exported, [path])
    right = [set(row.label.split(";")) == set(sky.split(";")) for row, sky in zip(rows, SKIES, strict=True)]
    assert np.mean(right) > 0.5
    assert "precision" in cambrian.report(result, tmp_path / "report.html").read_text()
    assert fit_scikit(task) > 0.8


@pytest.mark.slow
@pytest.mark.usefixtures("clean_is_forked")
def test_heads_are_learned_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One network answers both questions; its value is the mean of the accuracies of its heads, each of which
    is in the outcome, in the report and in the summary."""
    path = write_csv(tmp_path / "things.csv", size=SIZES, colour=COLOURS)
    result = search(path, "size,colour", tmp_path / "run")
    task, winner = result.task, result.winner
    assert task is not None
    assert winner is not None
    metrics = winner.outcome.metrics  # type: ignore[union-attr]
    each = [metrics["test_accuracy of size"], metrics["test_accuracy of colour"]]
    assert winner.value == pytest.approx(np.mean(each))
    assert winner.value > 0.8
    summarise(result)
    size, colour = (f"{100 * score:.2f} %" for score in each)
    assert f"test: accuracy of size {size}, accuracy of colour {colour}" in capsys.readouterr().out
    exported = cambrian.export(result, tmp_path / "out")
    labels = [row.label for row in predict_files(exported, [path])]
    truth = [f"size={size};colour={colour}" for size, colour in zip(SIZES, COLOURS, strict=True)]
    assert np.mean([a == b for a, b in zip(labels, truth, strict=True)]) > 0.6
    assert list(result.predict(path).labels) == labels
    text = cambrian.report(result, tmp_path / "report.html").read_text()
    assert "classification" in text
    assert "size" in text
    # The baseline has an ensemble for each head: the mean of two of scikit-learn's own scores.
    rows, learned = task.inputs[:, 0, 0], np.concatenate([task.train, task.validation])
    scores = []
    for head in range(2):
        targets = task.targets[:, head]
        trees = HistGradientBoostingClassifier(random_state=0).fit(rows[learned], targets[learned])
        scores.append(trees.score(rows[task.test], targets[task.test]))
    assert fit_scikit(task) == pytest.approx(np.mean(scores))


def test_losses_are_closed_forms() -> None:
    """Huber's and the squared error of numbers, the binary cross-entropy of labels with smoothing, and a sum
    of cross-entropies over heads."""
    logits, numbers = torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0])
    goal = Goal("numbers")
    assert make_loss(Recipe(), goal)(logits, numbers) == pytest.approx((0.5 * 0.25 + (3 - 0.5)) / 2)
    squared = make_loss(Recipe(loss="squared-error"), goal)
    assert squared(logits, numbers) == pytest.approx((0.25 + 9) / 2)
    marks, scores = torch.tensor([[1, 0]]), torch.tensor([[2.0, -1.0]])
    p = scores.sigmoid()
    expected = (
        -(0.9 * p[0, 0].log() + 0.1 * (1 - p[0, 0]).log() + 0.1 * p[0, 1].log() + 0.9 * (1 - p[0, 1]).log())
        / 2
    )
    assert make_loss(Recipe(label_smoothing=0.2), Goal("labels"))(scores, marks) == pytest.approx(
        float(expected)
    )
    heads = Goal("heads", heads=(("a", 2), ("b", 3)))
    five = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    chosen = torch.tensor([[n % 2, n % 3] for n in range(6)])
    parts = [
        torch.nn.functional.cross_entropy(five[:, part], chosen[:, n])
        for n, (_, part) in enumerate(heads.parts)
    ]
    assert make_loss(Recipe(), heads)(five, chosen) == pytest.approx(float(sum(parts)))
