"""A component of each kind is one file, and one line for a short name: no line of cambrian changes.

The files are in `extensions/`. They are written as docs/new-strategy.md and docs/new-space.md say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cambrian.errors import UnknownName
from cambrian.estimators import ESTIMATORS
from cambrian.estimators.train import Train
from cambrian.networks.measure import MEASURES
from cambrian.outcome import Infeasible
from cambrian.predictors import PREDICTORS
from cambrian.registry import Registry
from cambrian.search.engines import ENGINES
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.testing import (
    ENGINE,
    ESTIMATOR,
    MEASURE,
    PREDICTOR,
    SPACE,
    STRATEGY,
    EngineCase,
    EstimatorCase,
    MeasureCase,
    PredictorCase,
    SpaceCase,
    StrategyCase,
    Suite,
    toy_task,
)
from cambrian.testing.tables import list_components

ADDED: dict[str, tuple[Registry, str, str]] = {
    "space": (SPACES, "sandwich", "extensions.sandwich_space:sandwich"),
    "strategy": (STRATEGIES, "patient", "extensions.patient_strategy:Patient"),
    "estimator": (ESTIMATORS, "variety", "extensions.variety_estimator:Variety"),
    "predictor": (PREDICTORS, "nearest", "extensions.nearest_predictor:Nearest"),
    "engine": (ENGINES, "stack", "extensions.stack_engine:Stack"),
    "measure": (MEASURES, "leaves", "extensions.leaves_measure:Leaves"),
}
"""Registry, short name and file of one component of each kind."""

FILES = {kind: target for kind, (_, _, target) in ADDED.items()}
NAMES = {kind: name for kind, (_, name, _) in ADDED.items()}


def searches(names: dict[str, str]) -> list[list[Any]]:
    """Architectures and values of two searches: by the added strategy, and by strategies that rank with the
    added predictor."""
    surrogate = {"surrogate": names["predictor"]}
    strategies = [
        names["strategy"],
        {"name": "progressive", "arguments": {"keep": 5, **surrogate}},
        {"name": "bayes", "arguments": {"initial": 5, **surrogate}},
    ]
    done = []
    for strategy in strategies:
        search = Search(
            names["space"], strategy, names["estimator"], None, 15, engine=names["engine"], seed=4
        )
        done.append([(trial.architecture, trial.value) for trial in search.run().trials])
    return done


def limited(name: str) -> list[str]:
    """The ends of trials of networks that may have so many of the added measure."""
    limits = {name: 6.0}
    search = Search(
        "tiny-chain", "random", Train(batch_size=16), toy_task(), 6, seed=2, limits=limits, final=None
    )
    outcomes = [trial.outcome for trial in search.run().trials]
    assert all(outcome.metrics[name] > 6 for outcome in outcomes if isinstance(outcome, Infeasible))
    return [type(outcome).__name__ for outcome in outcomes]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line of each: an entry of its registry."""
    for registry, name, target in ADDED.values():
        monkeypatch.setitem(registry._entries, name, target)


def test_a_file_is_enough() -> None:
    """Named `module:Class`, five search together, and what is measured is the estimator's own number; the
    sixth, the measure, limits a search of networks."""
    assert set(limited(FILES["measure"])) == {"Done", "Infeasible"}
    for trials in searches(FILES):
        assert len(trials) >= 14
        assert all(value == len({repr(answer) for answer in a.values()}) for a, value in trials)


@pytest.mark.usefixtures("registered")
def test_a_line_gives_a_short_name() -> None:
    """By that name the same searches; what is made of it is written down by it."""
    assert searches(NAMES) == searches(FILES)
    assert limited(NAMES["measure"]) == limited(FILES["measure"])
    for registry, name, _ in ADDED.values():
        assert name in registry.names()
        if registry not in (SPACES, ENGINES):  # a function is written down as `module:function`
            spec = registry.spec(registry.make(name))
            assert spec is not None
            assert spec["name"] == name


@pytest.mark.usefixtures("registered")
def test_a_line_puts_it_into_the_tables_of_the_documents() -> None:
    """With its class and its file's first sentence."""
    for registry, name, target in ADDED.values():
        row = next(line for line in list_components(registry).splitlines() if f"| `{name}` |" in line)
        assert f"`{target}`" in row
        assert row.count(" | ") == 4


@pytest.mark.parametrize("kind", ADDED)
def test_without_the_line_the_name_is_unknown(kind: str) -> None:
    """In one sentence that says of which kind."""
    registry, name, _ = ADDED[kind]
    with pytest.raises(UnknownName, match=f"unknown {kind} '{name}'"):
        registry.get(name)


def make(kind: str) -> Any:
    registry = ADDED[kind][0]
    return registry.get(FILES[kind])() if kind == "engine" else registry.make(FILES[kind])


SUITES: dict[str, tuple[Suite[Any], Callable[[], Any]]] = {
    "space": (SPACE, lambda: SpaceCase(make("space"))),
    "strategy": (STRATEGY, lambda: StrategyCase(make("strategy"), make("space"), repeats=True)),
    "estimator": (
        ESTIMATOR,
        lambda: EstimatorCase(make("estimator"), make("space"), builds=False, noisy=False),
    ),
    "predictor": (PREDICTOR, lambda: PredictorCase(make("predictor"), make("space"), trials=30)),
    "measure": (MEASURE, lambda: MeasureCase(make("measure"))),
    "engine": (ENGINE, lambda: EngineCase(lambda: make("engine"))),
}


@pytest.mark.usefixtures("names_are_forked")
@pytest.mark.parametrize("kind", ADDED)
def test_the_suite_of_its_kind_holds_it_to_its_contract(kind: str) -> None:
    """The shipped suites find nothing wrong with any of them."""
    suite, case = SUITES[kind]
    assert suite.violations(case()) == []
