"""Numbers that strategies can be set to, and what is said of those that they cannot."""

import math
from dataclasses import fields
from typing import get_type_hints

import pytest

from cambrian.errors import UsageError
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies import STRATEGIES
from cambrian.strategies.progression.level_search import MOST_FIRST
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.settings import check_settings

NUMBERS = [
    (name, field.name)
    for name in STRATEGIES.names()
    for cls in [STRATEGIES.get(name)]
    for field in fields(cls)
    if get_type_hints(cls)[field.name] in (int, float, int | None, float | None)
]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("name", "setting"), NUMBERS)
def test_numbers_are_finite(name, setting, value):
    """Every setting of every strategy refuses what is no number, or none that can be counted with."""
    with pytest.raises(UsageError, match=f"strategy '{name}': .*{setting}.*got .*{value}"):
        STRATEGIES.get(name)(**{setting: value})


HUGE = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("reinforce(layers=1000000000)", "strategy 'reinforce': layers is 1 to 100, got 1000000000"),
        ("reinforce(hidden=1000000000)", "strategy 'reinforce': hidden is 1 to 1,000, got 1000000000"),
        ("reinforce(bins=1000000000)", "bins is 1 to 1,000"),
        ("reinforce(bound=1e308)", "bound is above 0 and at most 10, got 1e+308"),
        ("reinforce(layers=100, hidden=1000)", "100 layers of 1000 units make a network of 800,000,000"),
        ("ppo(layers=1000000000)", "strategy 'ppo': layers is 1 to 100"),
        ("ppo(hidden=1000000000)", "strategy 'ppo': hidden is 1 to 1,000"),
        ("ppo(epochs=1000000000)", "epochs is 1 to 1,000"),
        ("ppo(bound=Infinity)", "bound is above 0 and at most 10, got inf"),
        ("ppo(rerank=2, rerank_epochs=0)", "rerank_epochs is at least 1, got 0"),
        ("q-learning(replay=1000000000)", "replay is 1 to 10,000"),
        ("q-learning(alpha=1000000000)", "alpha is above 0 and at most 1, got 1000000000"),
        ("q-learning(gamma=NaN)", "gamma is 0 to 1, got nan"),
        ("q-learning(initial=NaN)", "initial is a number and finite, got nan"),
        ("q-learning(schedule=[[0.5, Infinity]])", "share, from 0 to 1,000"),
        ("hierarchical-tournament(mutations=1000000000)", "mutations is 0 to 10,000"),
        ("hill-climbing(cap=1000000000)", "cap is 1 to 10,000"),
        ("bayes(candidates=1000000000)", "candidates is 1 to 10,000"),
        ("smac(trees=1000000000)", "trees is 2 to 10,000"),
        ("bananas(width=1000000000)", "width is 1 to 1,000"),
        ("bananas(members=100, width=1000)", "100 members of 10 layers of 1000 units make"),
        ("progressive(first=1000000000)", "first is 1 to 100,000"),
        ("evolution(identity=NaN)", "probabilities of a sum up to 1, got nan and 0.0"),
    ],
)
def test_what_would_never_end_is_refused(text, sentence):
    """When the strategy is named, before anything is made; in the sentence there is the span."""
    with pytest.raises(UsageError) as error:
        STRATEGIES.parse(text)
    assert sentence in str(error.value)


def test_a_first_level_is_no_larger_for_more_trials():
    """A run of a thousand million trials asks for no more of it than can be kept in memory."""
    asked = []

    class Endless:
        levels = (1, 2)

        def level(self, architecture):
            return 1

        def grow(self, parents, rng, cap):
            asked.append(cap)
            return Pool()

    class Pool:
        complete = False

        def __len__(self):
            return 0

    Progressive(trials=HUGE).start(Problem(Endless()))
    assert asked == [MOST_FIRST, MOST_FIRST]


@pytest.mark.parametrize(
    ("span", "held", "not_held"),
    [
        (Span(1, 3), (1, 2.5, 3), (0, 3.1, 10**400, "2", None)),
        (Span(0, 1, above=True), (1e-9, 1), (0, 1.1)),
        (Span(0, 1, below=True), (0, 0.999), (1,)),
        (Span(2), (2, 10**400), (1, math.inf, math.nan)),
        (Span(), (-(10**400), 0), (math.inf, -math.inf, math.nan)),
    ],
)
def test_spans(span, held, not_held):
    """Both ends belong to a span unless it says otherwise; whole numbers may have any length."""
    for value in held:
        span.check("x", value)
    for value in not_held:
        with pytest.raises(UsageError, match=f"^x is (a (whole )?number, |){span}.*, got "):
            span.check("x", value)


def test_what_is_left_open_is_within():
    """None is for the run to fill in; a strategy without a name is called by its class's."""

    class Mine:
        first = None
        second = 4

    check_settings(Mine(), first=Span(1, 2))
    with pytest.raises(UsageError, match="strategy 'Mine': second is 1 to 2, got 4"):
        check_settings(Mine(), second=Span(1, 2))
