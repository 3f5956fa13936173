"""What surrogates have in common: pools written out, trees of beginnings, rank correlations."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from random_tokens import SLOTS, VOCABULARY, draw_tokens, draw_values, pools

from cambrian.errors import SpaceError
from cambrian.predictors import PREDICTORS, Predictor, kendall, spearman
from cambrian.predictors.token_model import children, prefixes
from tiers import slow_for

# Small enough to fit in a moment, and with every layer the paper has.
SMALL = {"updates": 12, "embedding": 5, "hidden": 7}
SURROGATES = [name for name in PREDICTORS.names() if hasattr(PREDICTORS.get(name), "fit_tokens")]
QUICK = [
    PREDICTORS.make({"name": name, "arguments": {} if name == "ridge" else SMALL}) for name in SURROGATES
]


def fitted(model, seed=0, values=None, steps=2):
    """A state after two fits, the second on one step more."""
    state = model.start_tokens(SLOTS, VOCABULARY, seed)
    values = draw_values(30) if values is None else values
    state = model.fit_tokens(state, draw_tokens(30, steps - 1), values)
    return model.fit_tokens(state, draw_tokens(30, steps, seed=1), values)


@settings(max_examples=25, deadline=None)
@given(pools())
def test_children_are_parents_and_a_step(pool):
    """Each child's tokens are its parent's own steps, the new one, and nothing: by a loop over lists."""
    parents, parent, step = pool
    for row, p, new in zip(children(parents, parent, step).tolist(), parent, step.tolist()):
        own = [s for s in parents[p].tolist() if max(s) >= 0] if p >= 0 else []
        expected = [*own, new]
        assert row[: len(expected)] == expected
        assert all(t == -1 for s in row[len(expected) :] for t in s)


@settings(max_examples=25, deadline=None)
@given(pools())
def test_the_tree_spells_every_child(pool):
    """Going up the tree from a child's beginning gives its root and tokens, and no beginning is there
    twice."""
    _, parent, step = pool
    root = parent + 1
    *tree, (leaf, nothing) = prefixes(root, step)
    spelt = []
    for node in leaf:
        tokens = []
        for above, token in reversed(tree):
            tokens.append(int(token[node]))
            node = above[node]
        spelt.append([int(node), *reversed(tokens)])
    assert spelt == np.column_stack([root, step]).tolist()
    assert len(nothing) == 0
    for above, token in tree:
        assert len(set(zip(above.tolist(), token.tolist()))) == len(token)


@pytest.mark.parametrize("model", QUICK, ids=SURROGATES)
@settings(max_examples=5, deadline=None)
@given(pool=pools())
def test_score_is_predict_on_children(model, pool):
    """Sharing parents' work gives what predicting every child written out gives."""
    state = fitted(model)
    scores = model.score_children(state, *pool)
    assert np.allclose(scores, model.predict_tokens(state, children(*pool)), atol=1e-6)


@pytest.mark.parametrize("model", QUICK, ids=SURROGATES)
def test_a_pool_may_be_empty(model):
    """No children, no scores."""
    nobody, nothing = np.zeros(0, dtype=np.int64), np.zeros((0, 4), dtype=np.int64)
    state = fitted(model)
    assert model.score_children(state, draw_tokens(2, 2), nobody, nothing).shape == (0,)


@pytest.mark.parametrize("model", QUICK, ids=SURROGATES)
def test_steps_and_padding_do_not_count(model):
    """Trailing rows of -1 say nothing."""
    state, tokens = fitted(model), draw_tokens(20, 3)
    padded = np.concatenate([tokens, np.full((20, 2, 4), -1)], axis=1)
    assert np.allclose(model.predict_tokens(state, tokens), model.predict_tokens(state, padded), atol=1e-6)


@pytest.mark.parametrize("model", QUICK, ids=SURROGATES)
def test_fitting_is_a_function_of_its_arguments(model):
    """The same seed and data give an equal state and the same predictions to the last bit; the old state
    stays what it was."""
    start = model.start_tokens(SLOTS, VOCABULARY, 5)
    one, other = fitted(model, 5), fitted(model, 5)
    assert one == other
    assert one != start
    assert start == model.start_tokens(SLOTS, VOCABULARY, 5)
    tokens = draw_tokens(20, 3)
    assert np.array_equal(model.predict_tokens(one, tokens), model.predict_tokens(other, tokens))


@pytest.mark.parametrize("name", slow_for(("lstm-ensemble", "lstm-ensemble-paper"), SURROGATES))
def test_a_fit_ranks_what_it_has_seen(name):
    """Given values that the operations decide, predictions rank them; with them reversed, the reverse."""
    arguments = {} if name == "ridge" else {"updates": 150, "embedding": 8, "hidden": 16}
    model = PREDICTORS.make({"name": name, "arguments": arguments})
    tokens = draw_tokens(60, 1)
    values = 0.1 + 0.2 * (tokens[:, 0, 2] + tokens[:, 0, 3])
    for truth in (values, 1 - values):
        state = model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 0), tokens, truth)
        assert spearman(model.predict_tokens(state, tokens), truth) > 0.9


@pytest.mark.parametrize("model", QUICK, ids=SURROGATES)
def test_tokens_outside_the_vocabulary_are_the_spaces_fault(model):
    """One sentence names the slot."""
    tokens = draw_tokens(4, 2)
    tokens[0, 0, 3] = 3
    with pytest.raises(SpaceError, match=r"slot 3 \('operation'\) has the token 3"):
        model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 0), tokens, draw_values(4))


@pytest.mark.parametrize("name", PREDICTORS.names())
def test_named_surrogates_keep_the_contract_and_their_names(name):
    """Each fulfils the protocol, and its spec makes it again."""
    model = PREDICTORS.make(name)
    assert isinstance(model, Predictor)
    assert PREDICTORS.make(PREDICTORS.spec(model)) == model


def test_ridge_needs_no_torch():
    """A coordinator that ranks with it never imports torch."""
    script = (
        "import sys, numpy as np; from cambrian.predictors import PREDICTORS\n"
        "m = PREDICTORS.make('ridge'); s = m.start_tokens(('a',), {'a': 2}, 0)\n"
        "m.fit_tokens(s, np.zeros((3, 1, 1), dtype=np.int64), np.arange(3.0))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_correlations_by_hand():
    """Spearman 1 - 6 sum d^2 / (n (n^2 - 1)) and Kendall (concordant - discordant) / pairs, by hand; NaN
    where there is no order to compare."""
    assert spearman([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(1 - 6 * 2 / 60)
    assert kendall([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(4 / 6)
    for x, y in (([1.0], [2.0]), ([], []), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [0, 0, 0])):
        assert np.isnan(spearman(x, y))
        assert np.isnan(kendall(x, y))
