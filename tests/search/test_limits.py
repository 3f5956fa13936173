"""Hard limits: checked before training, for the network searched and the one that would be delivered."""

from __future__ import annotations

from typing import Any

import pytest

import cambrian
from cambrian.errors import Incompatible, NothingSucceeded, RunChanged, UnknownName
from cambrian.networks.measure.sizes import params
from cambrian.outcome import Infeasible
from cambrian.search.loop.final import Final
from cambrian.spaces.chains.tiny_chain import TinyChain


def searched(limits: dict[str, float | str], place: object, **more: object) -> cambrian.Result:
    task = cambrian.load("digits", limit=200)
    settings = {"fidelity": cambrian.Fidelity(1), "limits": limits, **more}
    return cambrian.Search(TinyChain(), "random", "train", task, 3, **settings).run(place)


def test_a_limit_is_a_result_of_every_strategy_s_trials(tmp_path) -> None:
    """Nothing over the limit is trained: the trial ends as infeasible at once.
    The limits are among what a resumed run must agree on."""
    with pytest.raises(NothingSucceeded, match="params where at most 1") as caught:
        searched({"params": 1}, tmp_path / "run")
    assert [t.outcome.reason for t in caught.value.result.trials] == ["limit"] * 3
    with pytest.raises(RunChanged, match=r"limits\.params was 1"):
        searched({"params": 2}, tmp_path / "run")


def test_what_could_not_be_delivered_is_not_searched(tmp_path) -> None:
    """A limit that the search's network keeps and the final one would not is refused in the search,
    so that a search never ends without anything to hand over."""
    free = searched({}, tmp_path / "free")
    limit = max(t.outcome.metrics["params"] for t in free.trials)
    final = Final(cambrian.Fidelity(1, skeleton={"filters": 64}), top=1, baselines=())
    found = searched({"params": limit}, tmp_path / "run", final=final)
    task = cambrian.load("digits", limit=200)
    over = [params(TinyChain().build(t.architecture, task, filters=64)) > limit for t in found.trials]
    assert any(over)
    assert [isinstance(t.outcome, Infeasible) for t in found.trials] == over
    assert all("final skeleton" in t.outcome.detail for t in found.trials if t.value is None)


def test_the_random_network_beside_the_winner_keeps_the_limits(tmp_path) -> None:
    """Where the one without limits would not: it was not trained, and there was nothing to compare with."""
    final = Final(cambrian.Fidelity(1), top=1, baselines=("random",))
    free = searched({}, tmp_path / "free", final=final, seed=3).finals
    limit = free[1].outcome.metrics["params"] - 1
    winner, baseline = searched({"params": limit}, tmp_path / "run", final=final, seed=3).finals
    assert winner.architecture == free[0].architecture
    assert baseline.role == "baseline random"
    assert baseline.value is not None
    assert baseline.outcome.metrics["params"] <= limit


def test_limits_that_cannot_be_kept_are_refused() -> None:
    """An unknown limit names the nearest; an estimator that builds nothing cannot keep any."""
    with pytest.raises(UnknownName, match="params"):
        cambrian.Search(TinyChain(), "random", "train", "digits", limits={"parms": 1})
    from cambrian.estimators.function import Function

    with pytest.raises(Incompatible, match="builds"):
        cambrian.Search(TinyChain(), "random", Function(len, builds=False), limits={"params": 1})


def test_a_measure_of_ones_own_is_a_limit_and_a_metric(tmp_path) -> None:
    """What is over it is not trained, and by how much is in the ledger; what keeps it has the number among
    its metrics. The run is one with the same limit written otherwise."""
    name = "test_limits:modules"
    free = searched({name: 1e9}, tmp_path / "free", seed=1)
    numbers = [t.outcome.metrics[name] for t in free.trials]
    least = min(numbers)
    assert max(numbers) > least
    searched({name: f"{least:,.0f}"}, tmp_path / "run", seed=1)
    found = cambrian.Result.open(tmp_path / "run").trials
    assert [t.outcome.metrics[name] for t in found] == numbers
    assert [isinstance(t.outcome, Infeasible) for t in found] == [n > least for n in numbers]
    assert searched({name: least}, tmp_path / "run", seed=1).trials == found


def modules(network: Any, batch: Any, device: str) -> float:
    """How many there are, whatever they are."""
    return len(list(network.modules()))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_latency_is_a_limit(tmp_path, workers: int) -> None:
    """No network is as fast as the first limit asks, all are as fast as the second; with the number comes
    the spread of its readings."""
    with pytest.raises(NothingSucceeded) as caught:
        searched({"latency": "1ns"}, tmp_path / "none")
    none = caught.value.result
    assert [t.outcome.reason for t in none.trials] == ["limit"] * 3
    assert all("where at most 1 ns is allowed" in t.outcome.detail for t in none.trials)
    every = searched({"latency": "1000s"}, tmp_path / "all", workers=workers)
    assert all({"latency", "latency_spread"} <= t.outcome.metrics.keys() for t in every.trials)


def test_measures_are_objectives(tmp_path) -> None:
    """Of a training and of a user's function: each outcome has the numbers, by which trials are ranked."""
    names = ["memory", "-test_limits:modules"]
    task = cambrian.load("digits", limit=200)
    for estimator in ("train", "test_limits:score"):
        if estimator != "train":
            estimator = {"name": "function", "arguments": {"function": estimator}}
        settings = {"fidelity": cambrian.Fidelity(1), "objectives": names}
        found = cambrian.Search(TinyChain(), "random", estimator, task, 3, final=None, **settings).run()
        for trial in found.trials:
            assert {"memory", "test_limits:modules"} <= trial.outcome.metrics.keys()
            assert trial.scores(found.objectives)[1:] == (
                -trial.outcome.metrics["memory"],
                -trial.outcome.metrics["test_limits:modules"],
            )


def score(network: Any, fidelity: Any) -> float:
    return 1.0
