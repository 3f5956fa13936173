"""Strategies as they are named on a command line, and what is said of those that are not there."""

from dataclasses import replace

import pytest
from referee_cases import Deadly

from cambrian.errors import UnknownName, UsageError
from cambrian.referee.contenders import contenders
from cambrian.strategies import STRATEGIES
from cambrian.strategies.evolution.regularized import Evolution
from cambrian.strategies.random import Random


def test_names_settings_and_papers():
    """A name alone, with settings, with the paper's settings, and a class of one's own."""
    found = contenders("evolution, evolution(population=20, sample=5), evolution(paper),referee_cases:Deadly")
    assert found == {
        "evolution": Evolution(),
        "evolution(population=20, sample=5)": Evolution(population=20, sample=5),
        "evolution(paper)": Evolution.paper(),
        "referee_cases:Deadly": Deadly(),
        "random": Random(),
    }
    assert STRATEGIES.parse('progressive(surrogate="ridge", keep=8)') == STRATEGIES.parse(
        "progressive(surrogate=ridge, keep=8)"
    )


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("evolution(paper, sample=5)", {"sample": 5}),
        ("asha(paper , size=3, form=stopping)", {"size": 3, "form": "stopping"}),
        ("r-darts(paper, searches=2, factors=[1, 9])", {"searches": 2, "factors": (1, 9)}),
    ],
)
def test_a_papers_settings_but_for_some(text, changes):
    """The paper's settings, of which those that are named after `paper` are others."""
    name = text.partition("(")[0]
    assert STRATEGIES.parse(text) == replace(STRATEGIES.get(name).paper(), **changes)


def test_labels_of_ones_own():
    """Objects, names and specs by label."""
    spec = {"name": "evolution", "arguments": {"sample": 3}}
    found = contenders({"mine": Evolution(sample=2), "theirs": "evolution(sample=4)", "third": spec})
    assert [found[name].sample for name in ("mine", "theirs", "third")] == [2, 4, 3]


def test_random_search_is_always_there_once():
    """Added where it is missing, under a label of its own where its name is taken."""
    assert list(contenders("random")) == ["random"]
    assert list(contenders({"baseline": Random()})) == ["baseline"]
    taken = contenders({"random": Evolution()})
    assert taken == {"random": Evolution(), "random search": Random()}


EMPTY = (",paper", "paper,", ",sample=3", "population=20,,sample=3", "sample=3, ", ",")


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("evolutoin", UnknownName, "did you mean 'evolution'?"),
        ("evolution(popluation=3)", UsageError, "did you mean 'population'?"),
        ("random(paper)", UsageError, "no settings of a paper's own"),
        ("evolution(paper, popluation=3)", UsageError, "did you mean 'population'?"),
        ("evolution(sample=3, paper)", UsageError, "paper stands before the settings"),
        *((f"evolution({inside})", UsageError, "beside a comma there is no setting") for inside in EMPTY),
        ("evolution(3)", UsageError, "write setting=value"),
        ("evolution(population=20", UsageError, "cannot read the strategy"),
        ("evolution(population=3, sample=5)", UsageError, "sample must be between 1 and the population of 3"),
    ],
)
def test_mistakes(text, kind, sentence):
    """One sentence that names what is nearest or expected."""
    with pytest.raises(kind, match=sentence.replace("?", r"\?")):
        contenders(text)
