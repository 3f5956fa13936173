"""What scikit-learn learns from texts, against its own classes on the texts as they were written."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

import cambrian
from cambrian.cli.scikit_models import fit_scikit, suits_scikit
from cambrian.tasks.texts import read_script, read_texts

WORDS = ("sail", "alone", "far", "who", "stays", "and", "sun", "moon")


def write_texts(place: Path, target: str) -> Path:
    """Sixty sentences of random words; the target is whether `sun` occurs, or how often."""
    rng = np.random.default_rng(0)
    with place.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", target])
        for _ in range(60):
            words = [str(word) for word in rng.choice(WORDS, 6)]
            rows.writerow(
                [
                    " ".join(words),
                    "yes"
                    if target == "sunny" and "sun" in words
                    else "no"
                    if target == "sunny"
                    else words.count("sun") + 0.5,
                ]
            )
    return place


@pytest.mark.parametrize(
    ("target", "model"), [("sunny", LogisticRegression(C=10.0, max_iter=1000)), ("suns", Ridge())]
)
def test_texts_are_learned_by_a_linear_model_of_n_grams(target: str, model: object, tmp_path: Path) -> None:
    """As its own classes learn the same parts; texts are read back from the images that they became."""
    settings = {"goal": "numbers", "metric": "rmse"} if target == "suns" else {}
    place = write_texts(tmp_path / "x.csv", target)
    task = cambrian.load(place, target=target, length=60, **settings)
    assert suits_scikit(task)
    texts = read_texts(task.inputs, read_script(task.rendering["text"]))
    with place.open(newline="") as file:
        assert sorted(texts) == sorted(row["text"] for row in csv.DictReader(file))
    learned = [texts[n] for n in (*task.train, *task.validation)]
    counts = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True).fit(learned)
    known = task.targets[[*task.train, *task.validation]]
    predicted = model.fit(counts.transform(learned), known).predict(
        counts.transform([texts[n] for n in task.test])
    )
    true = task.targets[task.test]
    expected = np.mean(predicted == true) if target == "sunny" else np.sqrt(np.mean((predicted - true) ** 2))
    assert fit_scikit(task) == pytest.approx(float(expected))


def test_a_running_text_and_images_are_for_networks(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("Who sails alone sails far.\nWho stays?\n" * 60)
    assert not suits_scikit(cambrian.load(tmp_path / "x.txt", length=16))
    assert not suits_scikit(cambrian.load("digits"))


@pytest.mark.parametrize("metric", ["accuracy", "roc-auc", "log-loss"])
def test_rows_are_scored_by_what_the_metric_needs(metric: str) -> None:
    """Probabilities or choices of gradient boosting, as scikit-learn scores its own."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(150, 3))
    task = cambrian.load((rows, np.digitize(rows[:, 0], [-1, 1])), features=True, metric=metric)
    learned = np.concatenate([task.train, task.validation])
    flat = task.inputs.reshape(150, -1)
    model = HistGradientBoostingClassifier(random_state=0).fit(flat[learned], task.targets[learned])
    true, chances = task.targets[task.test], model.predict_proba(flat[task.test])
    expected = {
        "accuracy": accuracy_score(true, model.predict(flat[task.test])),
        "roc-auc": roc_auc_score(true, chances, multi_class="ovr"),
        "log-loss": log_loss(true, chances),
    }
    assert fit_scikit(task) == pytest.approx(expected[metric])


def test_labels_are_scored_by_the_probability_of_having_them() -> None:
    """Rows tell each label: that of not having it would be the worst there is."""
    rows = np.random.default_rng(0).normal(size=(120, 3))
    task = cambrian.load((rows, (rows[:, :2] > 0).astype(int)), features=True, goal="labels")
    assert task.metric == "mean-average-precision"
    assert fit_scikit(task) > 0.9


def test_a_class_that_only_the_test_part_has_and_one_that_is_alone(tmp_path: Path) -> None:
    """Have the probabilities 0 and 1: of heads a column for each class, whichever were learned."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3))
    lines = [f"{a:.4f},{'sml'[n % 3]},{'blue' if n == 59 else 'red'}" for n, a in enumerate(rows[:, 0])]
    (tmp_path / "x.csv").write_text("\n".join(["a,size,colour", *lines]))
    task = cambrian.load(tmp_path / "x.csv", target="size,colour")
    order = np.arange(60)
    task = replace(task, train=order[:40], validation=order[40:50], test=order[50:])
    assert task.goal.heads[1][1] == 2
    assert fit_scikit(task) >= 0.45  # nine of ten answers of the second are right
