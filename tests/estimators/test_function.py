"""Any function as an estimator: what it may return, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import cambrian
from cambrian.architecture import Architecture
from cambrian.errors import NothingSucceeded
from cambrian.estimators.estimator import Estimator, Job
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Infeasible
from small_training import SmallConv


def ended(result: Any) -> tuple[list[Any], Any]:
    """Points and outcome of a function that returns `result`."""
    function = Function(lambda architecture, fidelity: result, builds=False)
    estimate = function.run(Job.of(SmallConv(), Architecture({})))
    points = []
    while True:
        try:
            points.append(next(estimate))
        except StopIteration as end:
            return points, end.value


@pytest.mark.parametrize(
    "number",
    [
        0.25,
        np.float32(0.25),
        np.array(0.25),
        torch.tensor(0.25),
        (torch.arange(4) == 2).float().mean(),
    ],
)
def test_a_number_of_any_library_is_a_number(number: Any) -> None:
    """Arrays and tensors without dimensions, which say of themselves that they are iterable, too."""
    points, outcome = ended(number)
    assert points == []
    assert isinstance(outcome, Done)
    assert outcome.value == 0.25
    assert type(outcome.value) is float


@pytest.mark.parametrize(
    "curve",
    [[0.5, 0.25], np.array([0.5, 0.25]), torch.tensor([0.5, 0.25]), (torch.tensor(x) for x in (0.5, 0.25))],
)
def test_more_numbers_are_a_curve(curve: Any) -> None:
    """A list, an array, a tensor, or as they come: points in order, of which the last counts."""
    points, outcome = ended(curve)
    assert [(p.step, p.metrics) for p in points] == [(1, {"value": 0.5}), (2, {"value": 0.25})]
    assert (outcome.value, outcome.curve) == (0.25, tuple(points))


@pytest.mark.parametrize("nothing", ["0.5", {}, []])
def test_what_is_no_number_is_said(nothing: Any) -> None:
    """Text, a dictionary and an empty curve are told as what they are."""
    points, outcome = ended(nothing)
    assert points == []
    assert isinstance(outcome, Crashed)
    assert "expected a number" in outcome.error


def test_a_curve_ends_where_it_is_no_number() -> None:
    """With the points it had."""
    points, outcome = ended([0.5, float("nan"), 0.75])
    assert isinstance(outcome, Infeasible)
    assert outcome.curve == tuple(points)
    assert len(points) == 1


@pytest.mark.parametrize("builds", [True, False])
def test_says_whether_it_builds(builds: bool) -> None:
    """The setting is what the contract asks."""
    function = Function("programs:learning_curve", builds=builds)
    assert isinstance(function, Estimator)
    assert function.builds is builds


@pytest.mark.parametrize(
    ("objectives", "result"),
    [
        (["accuracy", "params"], {"accuracy": 0.9}),
        (["accuracy>0.5", "params"], {"loss": 0.1, "accuracy": 0.9}),
        (["accuracy", "params"], 0.9),
        (["params", "loss"], {"loss": 0.1, "accuracy": 0.9}),
    ],
)
def test_the_value_may_be_named_among_the_objectives(objectives: list[str], result: Any) -> None:
    """First, as on the command line: it is not a further objective then, which would leave the value to
    another metric."""
    outcome = search(lambda network: result, objectives=objectives).outcome
    assert outcome.value == 0.9
    assert "accuracy" not in outcome.metrics


@pytest.mark.parametrize(
    ("metrics", "settings", "sentence"),
    [
        (
            {"val_loss": 0.1},
            {},
            "'val_loss' would be maximised, of which lower is usually better: say minimize=True",
        ),
        ({"loss": 0.1, "accuracy": 0.9}, {"minimize": True}, "'accuracy' would be minimised"),
        (
            {"loss": 0.1, "accuracy": 0.9},
            {"objectives": ["latency", "accuracy"]},
            "'loss' would be maximised",
        ),
    ],
)
def test_no_metric_is_sought_against_its_name(
    metrics: dict[str, float], settings: dict[str, Any], sentence: str
) -> None:
    """A loss that nobody said is to be maximised; said by the metric's place, it is as it is said."""
    with pytest.raises(NothingSucceeded, match=sentence):
        search(lambda network: metrics, **settings)
    (name, *_) = metrics
    assert search(Function(lambda network: metrics, objective=name)).outcome.value == metrics[name]


def test_the_tasks_own_metric_is_named_to_be_minimised() -> None:
    """An error of numbers, which the function returns beside others: named, it needs no direction."""
    rng = np.random.default_rng(0)
    task = cambrian.load((rng.random((40, 3)), rng.random(40)), features=True, goal="numbers", metric="rmse")
    settings: dict[str, Any] = {"budget": 2, "final": None, "workers": 1}

    def function(architecture: Architecture) -> dict[str, float]:
        return {"rmse": 0.5, "other": 1.0}

    estimator = Function(function, builds=False)
    with pytest.raises(NothingSucceeded, match=r"say minimize=True or objectives=\['rmse'\]"):
        cambrian.Search("tiny-chain", "random", estimator, task, **settings).run(quiet=True)
    named = cambrian.Search("tiny-chain", "random", estimator, task, objectives=["rmse"], **settings)
    best = named.run(quiet=True).best
    assert best is not None
    assert (named.minimize, best.value) == (True, 0.5)


def search(estimator: Any, **settings: Any) -> Any:
    """The one trial of a search on few digits."""
    task = cambrian.load("digits", limit=120)
    result = cambrian.Search("tiny-chain", "random", estimator, task, budget=1, **settings).run(quiet=True)
    return result.trials[0]
