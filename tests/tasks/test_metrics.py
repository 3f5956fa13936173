"""Metrics against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    jaccard_score,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from cambrian.errors import UnknownName, UsageError
from cambrian.tasks import METRICS, load
from cambrian.tasks.metrics import accuracy, balanced_accuracy, choose_metric, is_minimized, is_share

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=80)
@given(PAIRS)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_agrees_with_scikit_learn(pairs) -> None:
    """Both metrics, also where predictions name classes that do not occur."""
    targets, predictions = np.array(pairs).T
    assert accuracy(targets, predictions) == pytest.approx(accuracy_score(targets, predictions))
    assert balanced_accuracy(targets, predictions) == pytest.approx(
        balanced_accuracy_score(targets, predictions)
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=4, max_size=40))
def test_intersections_over_unions_are_scikit_learns(pairs) -> None:
    """Its Jaccard scores of all pixels as one list, averaged over the classes that occur."""
    targets, predictions = (np.resize(part, (2, len(part) // 2, 1)) for part in np.array(pairs).T)
    wanted = jaccard_score(targets.ravel(), predictions.ravel(), average="macro")
    assert METRICS["miou"](targets, predictions) == pytest.approx(wanted)


def test_the_names_are_the_metrics() -> None:
    """A task takes the metrics by name, and a wrong name is answered with the nearest."""
    of_classes = {name for name, metric in METRICS.items() if metric.kind == "classes"}
    assert of_classes == {"accuracy", "balanced-accuracy"}
    assert load("digits", metric="balanced-accuracy").metric == "balanced-accuracy"
    with pytest.raises(UnknownName, match="did you mean 'balanced-accuracy'"):
        load("digits", metric="balanced_accuracy")


NUMBERS = st.lists(
    st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)), min_size=2, max_size=60
)


@settings(deadline=None, max_examples=80)
@given(NUMBERS)
def test_numbers_agree_with_scikit_learn(pairs) -> None:
    """All three metrics of numbers, also where the targets are equal."""
    targets, predictions = np.array(pairs, np.float64).T
    assert METRICS["r2"](targets, predictions) == pytest.approx(r2_score(targets, predictions), rel=1e-6)
    assert METRICS["mae"](targets, predictions) == pytest.approx(mean_absolute_error(targets, predictions))
    assert METRICS["rmse"](targets, predictions) == pytest.approx(
        root_mean_squared_error(targets, predictions)
    )


@pytest.mark.parametrize("seed", range(20))
def test_labels_agree_with_scikit_learn(seed: int) -> None:
    """Average precision with many equal scores, and F1 with labels that nobody has or predicts."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((40, 5)) < 0.3).astype(np.int64)
    targets[:, 4] = 0
    scores = rng.integers(0, 8, (40, 5)) / 8
    scores[:, 3] = 0
    present = targets.any(0)
    assert METRICS["mean-average-precision"](targets, scores) == pytest.approx(
        average_precision_score(targets[:, present], scores[:, present], average="macro")
    )
    chosen = (scores > 0.5).astype(int)
    assert METRICS["macro-f1"](targets, scores) == pytest.approx(
        f1_score(targets, chosen, average="macro", zero_division=0)
    )


def test_each_kind_has_its_metrics() -> None:
    """The first is the usual one, one of another kind is refused with those that fit, and errors are low."""
    assert [choose_metric(None, kind) for kind in ("classes", "numbers", "labels", "heads")] == [
        "accuracy",
        "r2",
        "mean-average-precision",
        "mean-accuracy",
    ]
    with pytest.raises(
        UsageError, match=r"metric=accuracy: .* the data have numbers: choose r2 or rmse or mae"
    ):
        choose_metric("accuracy", "numbers")
    lower = ["rmse", "mae", "bits-per-character", "perplexity"]
    assert [name for name in METRICS if is_minimized(name)] == lower
    assert not is_share("rmse")
    assert is_share("r2")
