"""Metrics against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from cambrian.errors import UnknownName
from cambrian.tasks import METRICS, load
from cambrian.tasks.metrics import accuracy, balanced_accuracy

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


def test_the_names_are_the_metrics() -> None:
    """A task takes the metrics by name, and a wrong name is answered with the nearest."""
    assert set(METRICS) == {"accuracy", "balanced-accuracy"}
    assert load("digits", metric="balanced-accuracy").metric == "balanced-accuracy"
    with pytest.raises(UnknownName, match="did you mean 'balanced-accuracy'"):
        load("digits", metric="balanced_accuracy")
