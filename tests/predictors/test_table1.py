"""PNAS's Table 1 after the fact."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.architecture import sample
from cambrian.predictors import PREDICTORS, kendall, spearman
from cambrian.predictors.pnas_table1 import PAPER, table1
from cambrian.randomness import integer_seed, stream
from cambrian.spaces.cells.pnas import OPERATIONS, PNAS

SPACE = PNAS(blocks=3)


def trained(n=12):
    """A dozen cells of every level, whose value is the share of separable convolutions."""
    levels = {}
    for b in (1, 2, 3):
        space = PNAS(blocks=b)
        drawn = [sample(space, stream(b, "table 1", i)) for i in range(40)]
        cells = [a for a in drawn if space.level(a) == b][:n]
        share = [np.mean([c[2:] for c in space.cell(a)]) / len(OPERATIONS) for a in cells]
        levels[b] = (cells, share)
    return levels


def test_rows_are_what_the_words_say():
    """Fitted up to b, ranked at b and at b + 1: the same by hand, level by level, for one surrogate."""
    levels, model = trained(), PREDICTORS.make("ridge")
    rows = table1(SPACE, levels, ["ridge"], seed=3)
    assert [(r.surrogate, r.level) for r in rows] == [("ridge", 1), ("ridge", 2), ("ridge", 3)]
    cells, values = [], []
    for row in rows:
        new, truth = levels[row.level]
        cells, values = cells + list(new), values + list(truth)
        start = model.start_tokens(SPACE.slots, SPACE.vocabulary, integer_seed(3, "table 1"))
        state = model.fit_tokens(start, SPACE.tokens(cells), np.array(values))
        predicted = model.predict_tokens(state, SPACE.tokens(new))
        assert row.fitted == len(values)
        assert row.spearman == pytest.approx(spearman(predicted, truth))
        assert row.kendall == pytest.approx(kendall(predicted, truth))
        if row.level < 3:
            unseen, truth = levels[row.level + 1]
            predicted = model.predict_tokens(state, SPACE.tokens(unseen))
            assert (row.unseen, row.spearman_next) == (len(truth), pytest.approx(spearman(predicted, truth)))
    assert (rows[-1].unseen, rows[-1].spearman_next, rows[-1].kendall_next) == (0, None, None)


def test_the_papers_four_and_gaps():
    """Four surrogates by default; a level nobody trained is left out, one of equal values has no rank."""
    levels = trained()
    levels[2] = ([], [])
    levels[3] = (levels[3][0], [0.5] * len(levels[3][0]))
    assert PAPER == ("mlp", "lstm", "mlp-ensemble", "lstm-ensemble")
    one, three = table1(SPACE, levels, ["mlp"])
    assert (one.level, three.level) == (1, 3)
    assert one.spearman > 0.5
    assert (one.spearman_next, three.spearman) == (None, None)
