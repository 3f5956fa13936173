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
    cohen_kappa_score,
    f1_score,
    jaccard_score,
    log_loss,
    matthews_corrcoef,
    mean_absolute_error,
    mean_absolute_percentage_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from cambrian.errors import DataError, UnknownName, UsageError
from cambrian.goal import Goal
from cambrian.problem import lower_is_better
from cambrian.tasks import METRICS, load
from cambrian.tasks.targets.class_metrics import accuracy, balanced_accuracy
from cambrian.tasks.targets.metrics import (
    choose,
    choose_metric,
    is_minimized,
    is_share,
    list_metrics,
    measure,
)

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
    of_classes = ["accuracy", "balanced-accuracy", "macro-f1", "roc-auc", "log-loss", "mcc", "cohen-kappa"]
    assert list_metrics("classes") == of_classes
    assert load("digits", metric="balanced-accuracy").metric == "balanced-accuracy"
    with pytest.raises(UnknownName, match="did you mean 'balanced-accuracy'"):
        load("digits", metric="balanced_accuracy")


NUMBERS = st.lists(
    st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)), min_size=2, max_size=60
)


@settings(deadline=None, max_examples=80)
@given(NUMBERS)
def test_numbers_agree_with_scikit_learn(pairs) -> None:
    """All metrics of numbers, also where the targets are equal, or 0."""
    targets, predictions = np.array(pairs, np.float64).T
    assert METRICS["r2"](targets, predictions) == pytest.approx(r2_score(targets, predictions), rel=1e-6)
    assert METRICS["mae"](targets, predictions) == pytest.approx(mean_absolute_error(targets, predictions))
    assert METRICS["rmse"](targets, predictions) == pytest.approx(
        root_mean_squared_error(targets, predictions)
    )
    wanted = mean_absolute_percentage_error(targets, predictions)
    assert METRICS["mape"](targets, predictions) == pytest.approx(wanted)


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
    wanted = f1_score(targets, (scores > 0.5).astype(int), average="macro", zero_division=0)
    assert measure("macro-f1", targets, scores, Goal("labels")) == pytest.approx(wanted)
    wanted = roc_auc_score(targets[:, present], scores[:, present], average="macro")
    assert METRICS["roc-auc"](targets, scores) == pytest.approx(wanted)


def test_each_kind_has_its_metrics() -> None:
    """The first is the usual one, one of another kind is refused with those that fit, and errors are low."""
    assert [choose_metric(None, kind) for kind in ("classes", "numbers", "labels", "heads")] == [
        "accuracy",
        "r2",
        "mean-average-precision",
        "mean-accuracy",
    ]
    with pytest.raises(
        UsageError, match=r"metric=accuracy: .* the data have numbers: choose r2 or rmse or mae or mape"
    ):
        choose_metric("accuracy", "numbers")
    lower = ["rmse", "mae", "mape", "log-loss", "bits-per-character", "perplexity"]
    assert [name for name in METRICS if is_minimized(name)] == lower
    assert not is_share("rmse")
    assert is_share("r2")
    with pytest.raises(UsageError, match="predictions of classes or several labels, and the data have num"):
        choose_metric("roc-auc", "numbers")


@settings(deadline=None, max_examples=120)
@given(PAIRS)
@pytest.mark.filterwarnings("ignore")
def test_choices_agree_with_scikit_learn(pairs) -> None:
    """The macro F1, Cohen's kappa and Matthews' correlation, also of classes that one side alone has; where
    all is one class, of which scikit-learn's kappa is not a number, both coefficients are 0."""
    targets, chosen = np.array(pairs).T
    wanted = f1_score(targets, chosen, average="macro", zero_division=0)
    assert METRICS["macro-f1"](targets, chosen) == pytest.approx(wanted)
    assert METRICS["mcc"](targets, chosen) == pytest.approx(matthews_corrcoef(targets, chosen))
    wanted = 0.0 if len({*targets, *chosen}) == 1 else cohen_kappa_score(targets, chosen)
    assert METRICS["cohen-kappa"](targets, chosen) == pytest.approx(wanted)


CLASSED = st.integers(2, 5).flatmap(
    lambda classes: st.lists(
        st.tuples(st.integers(0, classes - 1), *[st.integers(1, 6)] * classes), min_size=1, max_size=40
    )
)


@settings(deadline=None, max_examples=150)
@given(CLASSED)
def test_probabilities_agree_with_scikit_learn(rows) -> None:
    """The area under the curve, of which many probabilities are equal, and the log loss: of two classes, of
    several where all occur, and as scikit-learn's of those that occur where some do not; of one class alone
    one half."""
    targets, *weights = np.array(rows).T
    probabilities = np.stack(weights, 1) / np.sum(weights, 0)[:, None]
    classes = probabilities.shape[1]
    wanted = log_loss(targets, probabilities, labels=range(classes))
    assert METRICS["log-loss"](targets, probabilities) == pytest.approx(wanted)
    present = np.unique(targets)
    if len(present) == 1:
        wanted = 0.5
    elif classes == 2:
        wanted = roc_auc_score(targets, probabilities[:, 1])
    elif len(present) == classes:
        wanted = roc_auc_score(targets, probabilities, multi_class="ovr")
    else:
        wanted = np.mean([roc_auc_score(targets == k, probabilities[:, k]) for k in present])
    assert METRICS["roc-auc"](targets, probabilities) == pytest.approx(wanted, abs=1e-12)


def test_a_probability_that_was_rounded_away_costs_what_scikit_learn_says() -> None:
    """Of float32 and of float64, whose precisions bound the loss of a probability of 0."""
    for dtype in (np.float32, np.float64):
        rounded = np.array([[1, 0], [1, 0], [0.25, 0.75]], dtype)
        found = METRICS["log-loss"](np.array([0, 1, 1]), rounded)
        assert found == pytest.approx(log_loss([0, 1, 1], rounded), rel=1e-6)


def test_what_is_chosen_by_probabilities() -> None:
    """The likeliest class, that of each head, and the labels above one half."""
    rows = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.9]])
    assert choose(rows, Goal()).tolist() == [1, 2]
    assert choose(rows, Goal("labels")).tolist() == [[0, 0, 0], [1, 0, 1]]
    heads = Goal("heads", heads=(("size", 2), ("kind", 1)))
    assert choose(rows, heads).tolist() == [[1, 0], [0, 0]]
    assert measure("mean-accuracy", np.array([[1, 0], [1, 0]]), rows, heads) == 0.75


def test_names_tell_the_direction_that_the_metrics_have() -> None:
    """So that each may be named among the objectives, and a function's value of that name is not maximised
    where it is an error."""
    told = {name: lower_is_better(name) for name in METRICS}
    assert {name for name, lower in told.items() if lower is None} == {"bits-per-character"}
    assert all(lower == is_minimized(name) for name, lower in told.items() if lower is not None)


def test_parts_of_which_a_metric_says_nothing_are_refused() -> None:
    """A validation part that a data set brings along with one class, and numbers of 0 to be divided by; in
    the training part these do no harm."""
    rows = np.random.default_rng(0).normal(size=(40, 3))
    named = {"train": (rows, ["no", "yes"] * 20), "validation": (rows[:9] + 1, ["no"] * 9)}
    with pytest.raises(DataError, match="all 9 validation rows are of the class 'no', and roc-auc tells"):
        load(named, features=True, metric="roc-auc")
    assert load(named, features=True).metric == "accuracy"
    numbers = np.arange(40.0) / 7
    parts = {"validation": (rows[:9] - 1, range(1, 10)), "test": (rows[:9] + 1, [0, 0, *range(3, 10)])}
    with pytest.raises(DataError, match="2 of the 9 test rows have the number 0, by which mape divides: ch"):
        load({"train": (rows, numbers), **parts}, features=True, goal="numbers", metric="mape")
    parts["test"] = (rows[:9] + 1, range(1, 10))
    task = load({"train": (rows, numbers), **parts}, features=True, goal="numbers", metric="mape")
    assert 0.0 in task.targets[task.train]
