"""Filtering by proxies against a plain sort, and the other strategies that go on from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import Fidelity
from cambrian.predictors.rank_sum import sum_log_ranks
from cambrian.problem import Problem
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.strategies.filtered import Filtered

NEED_THEIR_OWN = [name for name in STRATEGIES.names() if getattr(STRATEGIES.get(name), "own_trials", False)]
"""Strategies that read the memory of their own requests, and the filter itself."""
SECONDS = ("progressive", "bayes", "nas-bowl", "smac", "nasbot", "bananas", "tpe")
"""Strategies with models, which take seconds each."""
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"keep": 4, "surrogate": "ridge"} for name in ("progressive", "popnas", "dpp-net")},
    "evolution": {"population": 4, "sample": 2},
    "tournament": {"population": 4},
    **{key: {"initial": 4, "refit": 8, "candidates": 4} for key in ("bayes", "nas-bowl", "smac", "nasbot")},
    "bananas": {"initial": 4, "candidates": 4, "layers": 2, "epochs": 5},
    "hierarchical-tournament": {"initial": 4, "mutations": 5, "share": 0.2},
    "reinforce": {"hidden": 8},
    "q-learning": {"horizon": 20, "replay": 5},
}


def count(architecture: Architecture, fidelity: Fidelity) -> float:
    """The convolutions of a cell."""
    return float(sum("conv" in str(answer) for answer in architecture.values()))


def skips(architecture: Architecture, fidelity: Fidelity) -> float:
    """The skips of a cell, from 100 on, so that these values are above all others."""
    return 100.0 + sum("skip" in str(answer) for answer in architecture.values())


def run(filtered: Filtered, budget: int, directory: Path | None = None, **more: Any) -> Result:
    """A search of cells whose value is the number of convolutions, and whose proxies are functions."""
    space = SPACES.make("nasbench201")
    proxies = {"naswot": Function(skips, builds=False), "layers": Function(count, builds=False)}
    search = Search(space, filtered, Function(count, builds=False), budget=budget, estimators=proxies, **more)
    return search.run(directory)


def test_the_best_by_the_proxy_are_measured_in_its_order() -> None:
    """Of twelve draws the three with most convolutions, most first, and then the search ends."""
    filtered = Filtered(strategy="", measures=("layers",), draws=12, keep=3)
    result = run(filtered, 40)
    scored, trained = result.trials[:12], result.trials[12:]
    assert all(t.estimator == "layers" for t in scored)
    assert [t.estimator for t in trained] == [""] * 3
    distinct = dict.fromkeys(t.architecture for t in sorted(scored, key=lambda t: -(t.value or 0)))
    assert [t.architecture for t in trained] == list(distinct)[:3]


def test_several_proxies_score_the_same_draws_and_their_ranks_are_summed() -> None:
    """The order is that of the sums of the logarithms of ranks."""
    filtered = Filtered(strategy="", measures=("layers", "naswot"), draws=8, keep=8)
    result = run(filtered, 60)
    first, second = result.trials[:8], result.trials[8:16]
    assert [t.architecture for t in first] == [t.architecture for t in second]
    sums = sum_log_ranks([[t.value for t in first], [t.value for t in second]])
    order = dict.fromkeys(first[i].architecture for i in np.argsort(-sums, kind="stable"))
    assert [t.architecture for t in result.trials[16:]] == list(order)


def test_a_proxy_is_never_recommended() -> None:
    """Its values, here above all others, are in another unit."""
    result = run(Filtered(strategy="", measures=("naswot",), draws=6, keep=2), 20)
    assert result.best is not None
    assert result.best.estimator == ""
    assert result.best.value is not None
    assert result.best.value < 100


def test_a_search_that_minimises_still_takes_the_highest_proxies() -> None:
    """The values of the search are turned, and not those of the proxy."""
    result = run(Filtered(strategy="", measures=("layers",), draws=12, keep=1), 40, minimize=True)
    assert result.trials[-1].value == max(t.value or 0 for t in result.trials[:12])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SECONDS else ())
        for name in STRATEGIES.names()
        if name not in NEED_THEIR_OWN
    ],
)
def test_any_strategy_goes_on(name: str) -> None:
    """It proposes trials of its own after those of the filter, which it has learned."""
    inner = {"name": name, "arguments": SETTINGS.get(name, {})}
    result = run(Filtered(strategy=inner, measures=("layers",), draws=5, keep=3), 20)
    assert [t.estimator for t in result.trials] == ["layers"] * 5 + [""] * (len(result.trials) - 5)
    assert len(result.trials) > 10


@pytest.mark.parametrize("name", NEED_THEIR_OWN)
def test_strategies_that_need_trials_of_their_own_are_refused(name: str) -> None:
    """Before anything runs, in a sentence."""
    with pytest.raises(UsageError, match="learns trials that it proposes itself"):
        Filtered(strategy=name)


def test_lag_changes_nothing_but_the_wait() -> None:
    """With proposals behind by four trials the same architectures are drawn, scored and measured."""
    filtered = Filtered(strategy="", measures=("layers", "naswot"), draws=7, keep=3)
    one, four = run(filtered, 60), run(filtered, 60, lag=4)
    assert [t.architecture for t in one.trials] == [t.architecture for t in four.trials]


@pytest.mark.parametrize(
    ("trials", "measures", "draws"), [(60, 2, 15), (60, 1, 30), (400, 2, 50), (15, 2, 5), (None, 2, 50)]
)
def test_by_default_half_of_the_trials_are_trained(trials: int | None, measures: int, draws: int) -> None:
    """Of few trials the scores take half, or as many as there are to be of the best; never more than 50
    draws."""
    problem = Problem(SPACES.make("nasbench201"), trials=trials)
    filtered = Filtered(measures=("layers", "naswot")[:measures])
    assert filtered.start(problem).draws == draws


def test_no_budget_goes_to_proxies_alone() -> None:
    """By default some are trained; a number of draws that leaves no room for the best is refused, with one
    that does."""
    result = run(Filtered(measures=("layers", "naswot")), 60)
    assert [t.estimator for t in result.trials] == ["layers"] * 15 + ["naswot"] * 15 + [""] * 30
    sentence = (
        "50 draws by 2 measures and the training of the best 5 take 105 trials, and the run has 60: take"
    )
    with pytest.raises(UsageError, match=sentence + " draws=27"):
        run(Filtered(measures=("layers", "naswot"), draws=50), 60)
    with pytest.raises(UsageError, match="take 15 trials, and the run has 14: take a larger budget"):
        run(Filtered(measures=("layers", "naswot")), 14)
    assert len(run(Filtered(measures=("layers", "naswot"), draws=27), 60).trials) == 60


def test_a_run_that_goes_on_has_as_many_draws_as_before(tmp_path: Path) -> None:
    """Though twice as large a budget would have begun with twice as many."""
    filtered = Filtered(measures=("layers", "naswot"))
    short = run(filtered, 20, tmp_path / "run")
    longer = run(filtered, 40, tmp_path / "run")
    assert [t.architecture for t in longer.trials[:20]] == [t.architecture for t in short.trials]
    assert [t.estimator for t in longer.trials] == ["layers"] * 5 + ["naswot"] * 5 + [""] * 30


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"measures": ()}, "name at least one"),
        ({"draws": 3, "keep": 4}, "keep is at most the 3 draws, got 4"),
        ({"draws": 0}, "draws is"),
    ],
)
def test_mistakes_are_sentences(settings: dict[str, Any], sentence: str) -> None:
    """Each says what is wrong with the setting."""
    with pytest.raises(UsageError, match=sentence):
        Filtered(**settings)


def test_the_command_line_reads_it() -> None:
    """A strategy with settings within the settings of the filter."""
    text = 'filtered(measures=["zen(repeats=2)", "layers"], strategy="evolution(population=7)")'
    filtered = STRATEGIES.parse(text)
    assert filtered.inner.population == 7
    assert dict(filtered.estimators) == {"zen(repeats=2)": "zen(repeats=2)", "layers": "layers"}
    assert STRATEGIES.make(STRATEGIES.spec(filtered)) == filtered
