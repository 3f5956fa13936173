"""Strategies take any predictor that serves their need, and refuse one that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from cambrian.errors import UnknownName, UsageError
from cambrian.predictors import PREDICTORS
from cambrian.search.search import Search
from cambrian.spaces.knowledge import Encodes, Grows
from cambrian.strategies import STRATEGIES
from cambrian.strategies.bayesian.bayes import Bayes
from cambrian.strategies.progressive import Progressive

NEURAL = {"updates": 20, "embedding": 5, "hidden": 8}
SMALL: dict[str, dict[str, Any]] = {
    **{name: NEURAL for name in PREDICTORS.names() if name.startswith(("mlp", "lstm"))},
    "deep-ensemble": {"layers": 2, "epochs": 10},
    "gcn": {"members": 2, "width": 8, "head": 8, "epochs": 5},
    "boosting": {"members": 2, "trees": 10},
}
UNSURE = [name for name in PREDICTORS.names() if PREDICTORS.make(name).deviates]


def count_convolutions(architecture: Any, fidelity: Any) -> float:
    return sum("conv" in str(answer) for answer in architecture.values()) / len(architecture)


FREE = {"name": "function", "arguments": {"function": "test_surrogates:count_convolutions", "builds": False}}


def search(strategy: str, surrogate: str, trials: int = 20, **arguments: Any) -> Any:
    spec = {"name": surrogate, "arguments": SMALL.get(surrogate, {})}
    named = {"name": strategy, "arguments": {"surrogate": spec, **arguments}}
    return Search({"name": "tiny-chain", "arguments": {"layers": 2}}, named, FREE, None, trials, seed=3)


@pytest.mark.parametrize("surrogate", PREDICTORS.names())
def test_progressive_ranks_by_any_predictor(surrogate: str) -> None:
    """Two levels, the second of the four best by what it predicted."""
    trials = search("progressive", surrogate, keep=4).run().trials
    second = [t.reason for t in trials if t.reason["level"] == 2]
    assert [note["rank"] for note in second] == [1, 2, 3, 4]
    assert [note["predicted"] for note in second] == sorted((n["predicted"] for n in second), reverse=True)


@pytest.mark.parametrize("surrogate", UNSURE)
def test_bayes_improves_by_any_predictor_that_says_how_unsure_it_is(surrogate: str) -> None:
    """After the random ones, proposals say what was hoped of them."""
    trials = search("bayes", surrogate, 12, initial=5, refit=4).run().trials
    assert all("acquisition" in t.reason for t in trials[6:] if t.cached is None)


@pytest.mark.parametrize("surrogate", sorted(set(PREDICTORS.names()) - set(UNSURE)))
def test_bayes_refuses_the_others_before_anything_runs(surrogate: str) -> None:
    """One sentence: which, why, and which would do."""
    with pytest.raises(
        UsageError, match=f"surrogate '{surrogate}' does not say how unsure .*forest, gcn, gp"
    ):
        search("bayes", surrogate)


def test_a_name_nobody_has() -> None:
    """The nearest is said."""
    for strategy in ("progressive", "bayes"):
        with pytest.raises(UnknownName, match="did you mean 'forest'"):
            search(strategy, "forst")


def test_the_default_of_bayes_is_its_gaussian_process() -> None:
    """By name the same proposals; and a run that is older than the setting is the same run."""
    spec = {"initial": 5}
    named, default = (search("bayes", "gp-scores", 12, **spec), STRATEGIES.make({"name": "bayes"}))
    plain = Search(
        {"name": "tiny-chain", "arguments": {"layers": 2}}, Bayes(initial=5), FREE, None, 12, seed=3
    )
    assert [t.architecture for t in named.run().trials] == [t.architecture for t in plain.run().trials]
    assert "surrogate" not in STRATEGIES.spec(default)["arguments"]


def test_needs_are_those_of_the_surrogate() -> None:
    """A space without tokens can be climbed by a predictor that reads none."""
    assert Progressive(surrogate="ridge").needs == (Grows, Encodes)
    assert Progressive(surrogate="gp").needs == (Grows,)
    assert Bayes().needs == ()
    assert Bayes(surrogate="mlp-ensemble").needs == (Encodes,)


@dataclass(frozen=True)
class NoPredictor:
    """Has nothing of a predictor."""


def test_what_is_no_predictor() -> None:
    """A component of another kind is refused by its name."""
    with pytest.raises(UsageError, match="is no predictor"):
        search("progressive", "test_surrogates:NoPredictor")


def test_a_surrogate_may_be_written_with_its_settings() -> None:
    """As on a command line."""
    assert Bayes(surrogate="forest(trees=7)").predictor() == PREDICTORS.make(
        {"name": "forest", "arguments": {"trees": 7}}
    )
