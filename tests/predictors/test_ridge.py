"""Ridge regression against scikit-learn's, on counts made by a loop."""

from __future__ import annotations

import numpy as np
import pytest
from random_tokens import SLOTS, VOCABULARY, draw_tokens, draw_values
from sklearn.linear_model import Ridge as Reference

from cambrian.errors import UsageError
from cambrian.predictors.ridge import Ridge


def counts(tokens):
    """How often each (kind, token) occurs, slots of one kind together."""
    rows = []
    for architecture in tokens.tolist():
        row = dict.fromkeys([(kind, t) for kind, n in VOCABULARY.items() for t in range(n)], 0)
        for step in architecture:
            for kind, token in zip(SLOTS, step):
                if token >= 0:
                    row[kind, token] += 1
        rows.append(list(row.values()))
    return np.array(rows, dtype=float)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("holes", [False, True])
def test_it_is_ridge_on_counts(alpha, holes):
    """Weights, intercept and predictions are those of scikit-learn, whatever the values' range."""
    tokens, values = draw_tokens(50, 3, holes=holes), draw_values(50, low=-40, high=90)
    model, reference = Ridge(alpha), Reference(alpha=alpha).fit(counts(tokens), values)
    state = model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 0), tokens, values)
    assert np.allclose(state.weights, reference.coef_)
    assert state.intercept == pytest.approx(reference.intercept_)
    unseen = draw_tokens(40, 4, seed=9, holes=holes)
    assert np.allclose(model.predict_tokens(state, unseen), reference.predict(counts(unseen)))


def test_alpha_must_be_positive():
    """Without a penalty, counts that always sum to the same have no one solution."""
    with pytest.raises(UsageError, match="alpha is above 0"):
        Ridge(0.0)
