"""Budgets as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.errors import UsageError
from cambrian.search.planning.budget import Budget

counts = st.integers(1, 10**6)
units = st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)])


@given(st.lists(st.tuples(st.integers(1, 99), units), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_times_add_up(parts):
    """In any order of units, with or without spaces, in either case."""
    text = " ".join(f"{n}{unit}" for n, (unit, _) in parts)
    seconds = sum(n * factor for n, (_, factor) in parts)
    for variant in (text, text.replace(" ", ""), text.upper()):
        assert Budget.parse(variant) == Budget(seconds=seconds)


@given(counts, st.integers(1, 10**7))
@settings(max_examples=50, deadline=None)
def test_a_budget_is_read_as_it_is_written(trials, tenths):
    """`parse` is the inverse of `str`, down to a tenth of a second."""
    for budget in (Budget(trials), Budget(seconds=tenths / 10), Budget(trials, tenths / 10)):
        again = Budget.parse(str(budget))
        assert again.trials == budget.trials
        assert again.seconds == (None if budget.seconds is None else pytest.approx(budget.seconds, abs=0.06))


@given(counts)
@settings(max_examples=20, deadline=None)
def test_numbers_are_trials(trials):
    """As an integer, a text, and spelled out."""
    for given_ in (trials, str(trials), f"{trials} trials", f" {trials}trials "):
        assert Budget.parse(given_) == Budget(trials=trials)
    assert Budget.parse(f"{trials}, 2h") == Budget.parse(f"2h,{trials}") == Budget(trials, 7200.0)


@given(st.one_of(st.text(max_size=12), st.floats(), st.booleans()))
@settings(max_examples=60, deadline=None)
def test_anything_else_is_one_sentence(text):
    """Either a budget above zero or a UsageError; nothing else, whatever is written."""
    try:
        budget = Budget.parse(text)
    except UsageError:
        return
    assert budget.trials is not None or budget.seconds is not None
    assert (budget.trials or 1) > 0
    assert (budget.seconds or 1) > 0


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5", "2x", "h", "1h30", "1.5", "200,300", "1h,2h", ",", "nan", "1e5s"]
)
def test_refused(text):
    """Each says how to write it."""
    with pytest.raises(UsageError, match=r"budget"):
        Budget.parse(text)


def test_none_is_without_end():
    """A budget may be left out, or given as it is."""
    assert Budget.parse(None) == Budget()
    assert str(Budget()) == "until the strategy stops"
    assert Budget.parse(Budget(3)) == Budget(3)
    assert str(Budget.parse("1h30m")) == "1h 30m"
    assert str(Budget(seconds=0.5)) == "0.5s"
