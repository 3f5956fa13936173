"""A suite that nothing fails proves nothing: components broken on purpose, each caught by name."""

from __future__ import annotations

import os
import signal
from typing import Any

import broken_capabilities
import broken_engines
import broken_estimators
import broken_measures
import broken_methods
import broken_pairs
import broken_predictors
import broken_spaces
import broken_strategies
import pytest
import torch

from cambrian.search.engines.serial import Serial
from cambrian.spaces import SPACES
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.testing import (
    ENGINE,
    ESTIMATOR,
    MEASURE,
    METHOD,
    PAIR,
    PREDICTOR,
    SPACE,
    STRATEGY,
    EngineCase,
    EstimatorCase,
    MeasureCase,
    MethodCase,
    PairCase,
    PredictorCase,
    SpaceCase,
    StrategyCase,
    Suite,
    engines,
)


def catches(suite: Suite[Any], case: Any, check: str) -> None:
    """The suite reports the violation, under the name of the check that looks for it."""
    assert f"check_{check}" in [c.__name__ for c in suite.checks]
    found = suite.violations(case, [f"check_{check}"])
    assert len(found) == 1
    name, _, sentence = found[0].partition(": ")
    assert name == f"check_{check}"
    assert sentence.strip()


def each(broken: list[tuple[Any, str]]) -> Any:
    return pytest.mark.parametrize(
        ("component", "check"), [pytest.param(c, k, id=f"{c.__name__}-{k}") for c, k in broken]
    )


@each([*broken_spaces.BROKEN, *broken_capabilities.BROKEN])
def test_broken_spaces_are_caught(component: Any, check: str) -> None:
    """Each broken space fails the check that is there for its fault."""
    catches(SPACE, SpaceCase(component()), check)


@each(broken_strategies.BROKEN)
def test_broken_strategies_are_caught(component: Any, check: str) -> None:
    """Each broken strategy fails the check that is there for its fault."""
    catches(STRATEGY, StrategyCase(component(), TinyChain(), trials=30, lag_free=True), check)


@pytest.mark.parametrize("broken", broken_pairs.BROKEN)
def test_pairs_that_a_kill_changes_are_caught(broken: dict[str, Any]) -> None:
    """Each broken component fails beside two good ones."""
    free = {"name": "function", "arguments": {"function": "measures:guess", "builds": False}}
    good = {"space": "tiny-chain", "strategy": "random", "estimator": free}
    assert PAIR.violations(PairCase(**good)) == []
    catches(PAIR, PairCase(**(good | broken)), "a_kill_costs_nothing")


@each(broken_estimators.BROKEN)
def test_broken_estimators_are_caught(component: Any, check: str) -> None:
    """Each broken estimator fails the check that is there for its fault."""
    catches(ESTIMATOR, EstimatorCase(component(), TinyChain()), check)


@each(broken_measures.BROKEN)
def test_broken_measures_are_caught(component: Any, check: str) -> None:
    """Each broken measure fails the check that is there for its fault."""
    threads = torch.get_num_threads()
    try:
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            catches(MEASURE, MeasureCase(component()), check)
    finally:
        torch.set_num_threads(threads)


def method_case(component: Any) -> MethodCase:
    return MethodCase(component(epochs=4), SPACES.make("nasbench201"), {"filters": 2, "cells": 1}, steps=4)


@each(broken_methods.BROKEN)
def test_broken_methods_are_caught(component: Any, check: str) -> None:
    """Each broken way to train a supernet fails the check that is there for its fault."""
    catches(METHOD, method_case(component), check)


def predictor_case(component: Any) -> PredictorCase:
    return PredictorCase(component(), SPACES.make("nasbench201"), trials=30)


@each(broken_predictors.BROKEN)
def test_broken_predictors_are_caught(component: Any, check: str) -> None:
    """Each broken predictor fails the check that is there for its fault."""
    catches(PREDICTOR, predictor_case(component), check)


@each(broken_engines.BROKEN)
def test_broken_engines_are_caught(component: Any, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each broken engine fails the check that is there for its fault."""
    monkeypatch.setattr(engines, "GRACE", 1.0)
    try:
        catches(ENGINE, EngineCase(component, patience=1.0), check)
    finally:
        while broken_engines.LeavesProcesses.helpers:
            helper = broken_engines.LeavesProcesses.helpers.pop()
            os.kill(helper, signal.SIGKILL)
            os.waitpid(helper, 0)


def mean_weight(network: torch.nn.Module) -> dict[str, float]:
    """An estimator as a user writes one."""
    return {"accuracy": float(sum(p.detach().abs().mean() for p in network.parameters()))}


def test_a_function_is_an_estimator_and_not_accused_for_what_is_counted_beside_it() -> None:
    """Where sizes are bounded they stand among its metrics, which is no change of its outcome."""
    case = EstimatorCase(mean_weight, TinyChain())
    assert ESTIMATOR.violations(case) == []


def test_sound_components_are_not_accused() -> None:
    """What the broken ones vary has no violation: a check that fails everything catches nothing."""
    assert STRATEGY.violations(StrategyCase(broken_strategies.Listed(), TinyChain(), 30, lag_free=True)) == []
    assert PREDICTOR.violations(predictor_case(broken_predictors.Worths)) == []
    assert ESTIMATOR.violations(EstimatorCase(broken_estimators.Quick(), TinyChain())) == []
    assert MEASURE.violations(MeasureCase(broken_measures.Norm())) == []
    assert METHOD.violations(method_case(broken_methods.Soft)) == []
    assert MEASURE.violations(MeasureCase(broken_measures.Norm().__call__)) == []
    assert ENGINE.violations(EngineCase(broken_engines.Wrapped)) == []
    assert ENGINE.violations(EngineCase(Serial)) == []
