"""Every component that has a name in a registry keeps its contract: adding a name adds its tests."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import programs
import pytest

from cambrian.architecture import completions
from cambrian.estimators import ESTIMATORS
from cambrian.networks.measure import MEASURES
from cambrian.networks.measure.latency_table import LatencyTable
from cambrian.networks.sharing.methods import SUPERNET_METHODS
from cambrian.outcome import Fidelity, Outcome, Trial
from cambrian.predictors import PREDICTORS
from cambrian.randomness import stream
from cambrian.search.engines import ENGINES
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Mixes
from cambrian.strategies import STRATEGIES
from cambrian.strategies.one_shot.deriving import Deriving
from cambrian.testing import (
    ENGINE,
    ESTIMATOR,
    MEASURE,
    METHOD,
    PREDICTOR,
    SPACE,
    STRATEGY,
    EngineCase,
    EstimatorCase,
    MeasureCase,
    MethodCase,
    PredictorCase,
    SpaceCase,
    SpaceSuite,
    StrategyCase,
    StrategySuite,
    Suite,
)
from cambrian.testing.play import smooth

SKELETONS: dict[str, dict[str, Any]] = {
    "metaqnn": {"width": 0.05},
    "memory-banks": {"filters": 4},
    "cgp": {"width": 0.1},
    "network-morphism": {"filters": 4},
    "fabric": {"filters": 4},
    "free-graph": {"width": 0.25},
    "enas-macro": {"filters": 4},
    "anchor-points": {"width": 0.1},
    "pnas": {"filters": 4, "cells": 1},
    "macro": {"filters": 4},
    "ofa": {"width": 0.25, "features": 8},
    "stages": {"filters": 4},
    "encoder-decoder": {"filters": 4},
    "tree-cells": {"filters": 4},
    **{name: {"filters": 4, "cells": 2} for name in ("nasnet", "amoebanet", "enas-micro", "darts")},
    "nasbench101": {"filters": 8, "modules": 1},
    "nasbench201": {"filters": 4, "cells": 1},
    "hierarchical": {"filters": 4},
    "stacked": {"filters": 4},
    "proxylessnas": {"width": 0.1, "features": 8},
    "mnasnet": {"width": 0.1, "features": 8},
    "autoformer": {"patch": 4},
    "darts-rnn": {"hidden": 8},
    "nascell": {"hidden": 8},
    "sequence-chain": {"hidden": 16},
}
STRATEGY_SETTINGS: dict[str, dict[str, Any]] = {
    "progressive": {"keep": 8, "surrogate": "ridge"},
    **{name: {"keep": 8, "surrogate": "ridge"} for name in ("popnas", "dpp-net")},
    "evolution": {"population": 8, "sample": 3, "identity": 0.1, "crossover": 0.3},
    "tournament": {"population": 6},
    **{key: {"initial": 6, "refit": 8, "candidates": 4} for key in ("bayes", "nas-bowl", "smac", "nasbot")},
    "bananas": {"initial": 6, "candidates": 4, "layers": 2, "epochs": 5},
    "hierarchical-tournament": {"initial": 6, "mutations": 5, "share": 0.2},
    "freeze-thaw": {"candidates": 3, "fit": 1, "old": 2, "new": 1},
    "dyhpo": {"candidates": 3, "first": 4, "refine": 1},
    "reinforce": {"hidden": 8},
    "ppo": {"hidden": 8, "rerank": 3, "trials": 14},
    "nsga2": {"population": 8},
    "eas": {"networks": 3, "hidden": 4},
    "path-level": {"networks": 3, "hidden": 3, "embedding": 3},
    "scalarised": {"strategy": "evolution(population=8, sample=3)", "directions": 3},
    "filtered": {"draws": 6, "keep": 3, "measures": ["layers"]},
    "q-learning": {"horizon": 30, "replay": 10},
    **{name: {"epochs": 10, "searches": 5} for name in ("darts", "gdas", "snas", "pc-darts", "drnas")},
    **{
        name: {"epochs": 10, "searches": 5}
        for name in (
            "maskconnect",
            "proxylessnas",
            "beta-darts",
            "sdarts-rs",
            "r-darts",
            "darts-ada",
            "darts-pt",
            "p-darts",
        )
    },
    **{name: {"children": 15} for name in ("random-shared", "one-shot", "enas", "fabrics", "smash")},
    **{
        name: {"children": 15, "population": 6, "parents": 3}
        for name in ("spos", "fairnas", "sandwich", "once-for-all")
    },
}
CLIMBING: dict[str, Any] = {"repeats": True, "fidelity": Fidelity(9)}
"""Of strategies that measure at lower fidelities: three rungs."""
STRATEGY_TRAITS: dict[str, dict[str, Any]] = {
    "random": {"repeats": True, "lag_free": True},
    **{name: {"lag_free": True} for name in ("progressive", "popnas", "dpp-net")},
    "hill-climbing": {},
    "nsga2": {"lag_free": True},
    **{name: {} for name in ("nash", "lemonade", "smash")},
    "eas": {"trials": 10},  # each lists the morphisms of its leader
    "path-level": {"trials": 8},  # each reads a tree once for every decision
    **{name: CLIMBING | {"lag_free": True} for name in ("successive-halving", "hyperband")},
    **{name: CLIMBING for name in ("asha", "bayes-asha", "pasha", "bohb")},
    **{name: CLIMBING | {"trials": 16} for name in ("freeze-thaw", "dyhpo")},
    **{
        name: {"lag_free": True}
        for name in (
            "random-shared",
            "one-shot",
            "enas",
            "fabrics",
            "spos",
            "fairnas",
            "sandwich",
            "once-for-all",
        )
    },
}
pytestmark = pytest.mark.usefixtures("names_are_forked")
ISOLATING = {"processes"}
CLUSTERED = {"ray"}
"""Engines whose suite runs on a cluster, in their own test: a cluster for each check would take minutes."""
NEURAL = {"updates": 60, "embedding": 10, "hidden": 20}
PREDICTOR_SETTINGS: dict[str, dict[str, Any]] = {
    **{name: NEURAL for name in PREDICTORS.names() if name.startswith(("mlp", "lstm"))},
    **{
        name: {**NEURAL, "members": 2}
        for name in PREDICTORS.names()
        if name.startswith(("mlp-ensemble", "lstm-ensemble"))
    },
    "deep-ensemble": {"layers": 3, "epochs": 60},
    "boosting": {"trees": 30, "members": 3},
    "gcn": {"members": 2, "width": 16, "head": 16, "epochs": 15},
}


SLOW_PAIRS = {
    (name, f"check_{check}")
    for check, names in {
        # A program is traced node by node, and these have hundreds.
        "networks_are_exported": (
            "tabular joint autoformer ofa hierarchical darts-rnn proxylessnas nasnet amoebanet mnasnet macro "
            "tree-cells enas-micro darts encoder-decoder enas-macro nasbench101 pnas"
        ),
        # Supernets of many paths.
        "supernets_are_their_networks": (
            "hierarchical mnasnet nasnet amoebanet proxylessnas ofa enas-micro cgp"
        ),
        # Levels of thousands of children.
        "growth_goes_one_level_up": (
            "hierarchical memory-banks network-morphism joint mnasnet encoder-decoder"
        ),
        "growth_depends_on_the_seed_alone": "hierarchical memory-banks network-morphism",
        # Architectures of many answers.
        "tokens_tell_architectures_apart": "nasnet hierarchical amoebanet cgp enas-micro",
        "neighbours_are_one_answer_away": "nasnet hierarchical amoebanet cgp darts",
        # Supernets of many paths, and a network for each kind of edit.
        "sites_are_the_supernets": "amoebanet proxylessnas enas-micro",
        "mixtures_of_ones_and_zeros_are_networks": "amoebanet darts enas-micro pnas proxylessnas",
        "partial_channels_run": "amoebanet darts enas-micro pnas",
        "morphs_keep_the_function": "joint macro metaqnn pnas tree-cells",
        # Each proposal fits a model, or tries every morphism.
        "twenty_and_twenty_are_forty": "dyhpo nas-bowl eas freeze-thaw",
        "folding_history_rebuilds_the_state": "dyhpo freeze-thaw",
        "every_process_proposes_the_same": (
            "dyhpo freeze-thaw nas-bowl nasbot eas path-level bananas popnas dpp-net"
        ),
        "every_process_predicts_the_same": (
            "lstm-ensemble-paper lstm-ensemble mlp-ensemble-paper otmann boosting"
        ),
        # Mixtures of all candidates; others of the same step are tried at once.
        **dict.fromkeys(
            (
                "steps_learn",
                "steps_depend_on_seed_and_batches_alone",
                "interrupted_trainings_resume",
                "gates_learn_from_the_data",
            ),
            "beta-darts sdarts-rs r-darts darts-ada darts-pt p-darts",
        ),
        "failures_are_survived": "nash",
        # Ensembles of recurrent networks.
        "a_fit_is_a_function_of_seed_and_trials": "lstm-ensemble-paper lstm-ensemble",
        "equal_values_are_survived": "lstm-ensemble-paper lstm-ensemble",
        # What their own tests try by other ways.
        "memory_is_limited": "processes",
        "time_is_limited": "processes",
    }.items()
    for name in names.split()
}
"""Components and their dearest checks; each check has other components in `make test`, each component other
checks, and what is new has all of them."""


@cache
def space_case(name: str) -> SpaceCase:
    return SpaceCase(SPACES.make(name), skeleton=SKELETONS.get(name, {}))


@cache
def strategy_case(name: str) -> StrategyCase:
    strategy = STRATEGIES.make({"name": name, "arguments": STRATEGY_SETTINGS.get(name, {})})
    traits = STRATEGY_TRAITS.get(name, {"repeats": True})
    if isinstance(strategy, Deriving):
        # Rows of a space that is mixed: without gates the first supernet would be all of a search.
        return StrategyCase(strategy, SPACES.make("nasbench201"), trials=30, measure=learn_gates)
    own_spaces = {"fabrics": "fabric", "path-level": "tree-cells(depth=1)", "smash": "memory-banks"}
    space = SPACES.parse(own_spaces.get(name, "tiny-chain"))
    return StrategyCase(strategy, space, **{"trials": 20, **traits})


def learn_gates(trial: Trial) -> Outcome:
    """A made-up outcome, of a supernet with gates."""
    outcome = smooth(trial)
    if trial.kind != "supernet":
        return outcome
    sites = SPACES.make("nasbench201").know(Mixes).list_sites({})
    rng = stream(0, "gates", trial.fidelity.epochs, trial.replicate)
    gates = {name: rng.dirichlet([1.0] * len(site.options)).tolist() for name, site in sites.items()}
    return msgspec.structs.replace(outcome, data={"gates": gates})


@cache
def estimator_case(name: str) -> EstimatorCase:
    space = SPACES.make("tiny-chain")
    if name == "function":
        spec = {"name": name, "arguments": {"function": "programs:learning_curve", "builds": False}}
        return EstimatorCase(ESTIMATORS.make(spec), space, builds=False, noisy=False)
    if name == "tabular":
        spec = {"name": name, "arguments": chains_table(space)}
        return EstimatorCase(ESTIMATORS.make(spec), space, builds=False, noisy=False)
    if name == "one-shot":
        spec = {"name": name, "arguments": {"batch_size": 16, "paths": 1, "statistics_batches": 1}}
        return EstimatorCase(ESTIMATORS.make(spec), space, builds=False, supernet="uniform")
    if name == "extrapolated":
        return EstimatorCase(ESTIMATORS.make({"name": name, "arguments": {"model": "last-value"}}), space)
    return EstimatorCase(ESTIMATORS.make(name), space)


def chains_table(space: Any) -> dict[str, Any]:
    """The settings of an estimator that has a value for every architecture of `space` in a CSV."""
    chains = list(completions(space, {}))
    paths = sorted({path for chain in chains for path in chain})
    lines = [
        ",".join([*(str(chain.get(p, "")) for p in paths), str(0.1 * n)]) for n, chain in enumerate(chains)
    ]
    path = Path(tempfile.mkdtemp()) / "chains.csv"
    path.write_text("\n".join([",".join([*paths, "value"]), *lines]))
    return {"table": str(path), "objective": "value", "questions": paths}


@cache
def latency_table() -> Path:
    """A table of a device on which a call takes a millisecond, and nothing else any time."""
    table = LatencyTable("latency", "cpu", 20, 0.0, {"calls": 0.001}, 1.0)
    path = Path(tempfile.mkdtemp()) / "latency.json"
    path.write_bytes(msgspec.json.encode(table))
    return path


@cache
def predictor_case(name: str) -> PredictorCase:
    predictor = PREDICTORS.make({"name": name, "arguments": PREDICTOR_SETTINGS.get(name, {})})
    return PredictorCase(predictor, SPACES.make("nasbench201"), trials=40)


@cache
def method_case(name: str) -> MethodCase:
    """Trainings of four epochs; what watches the gates is tried by its own tests."""
    spaces = {"whole": "fabric", "smash": "memory-banks"}
    known = {field.name for field in dataclasses.fields(SUPERNET_METHODS.get(name))}
    few = {"epochs": 4, "curvature": 0, "updates": 1, "samples": 2}
    spec = {"name": name, "arguments": {setting: few[setting] for setting in sorted(known & few.keys())}}
    skeleton = {"filters": 4} if name in spaces else {"filters": 4, "cells": 1}
    return MethodCase(spec, SPACES.make(spaces.get(name, "nasbench201")), skeleton, steps=4)


def engine_case(name: str) -> EngineCase:
    return EngineCase(lambda: ENGINES.make(name), isolates=name in ISOLATING)


def over(suite: Suite[Any], names: list[str]) -> Any:
    pairs = [
        pytest.param(n, c, id=f"{n}-{c.__name__}", marks=[pytest.mark.slow] * ((n, c.__name__) in SLOW_PAIRS))
        for n in names
        for c in suite.checks
    ]
    return pytest.mark.parametrize(("name", "check"), pairs)


@over(SPACE, SPACES.names())
def test_space(name: str, check: Callable[[SpaceCase], None]) -> None:
    """Each registered space passes each check of the suite."""
    check(space_case(name))


@over(STRATEGY, STRATEGIES.names())
def test_strategy(name: str, check: Callable[[StrategyCase], None]) -> None:
    """Each registered strategy passes each check of the suite."""
    check(strategy_case(name))


@over(ESTIMATOR, ESTIMATORS.names())
def test_estimator(name: str, check: Callable[[EstimatorCase], None]) -> None:
    """Each registered estimator passes each check of the suite."""
    check(estimator_case(name))


@over(MEASURE, MEASURES.names())
def test_measure(name: str, check: Callable[[MeasureCase], None]) -> None:
    """Each registered measure passes each check of the suite."""
    spec: Any = name
    if name == "predicted_latency":
        spec = {"name": name, "arguments": {"table": str(latency_table())}}
    check(MeasureCase(MEASURES.make(spec)))


@over(METHOD, SUPERNET_METHODS.names())
def test_method(name: str, check: Callable[[MethodCase], None]) -> None:
    """Each registered way to train a supernet passes each check of the suite."""
    check(method_case(name))


@over(PREDICTOR, PREDICTORS.names())
def test_predictor(name: str, check: Callable[[PredictorCase], None]) -> None:
    """Each registered predictor passes each check of the suite."""
    check(predictor_case(name))


@over(ENGINE, sorted({*ENGINES.names()} - CLUSTERED))
def test_engine(name: str, check: Callable[[EngineCase], None]) -> None:
    """Each registered engine of this machine passes each check of the suite."""
    check(engine_case(name))


def test_slow_pairs_are_pairs() -> None:
    """A component or a check that was renamed would be back in `make test` without a word."""
    suites = (
        (SPACE, SPACES),
        (STRATEGY, STRATEGIES),
        (METHOD, SUPERNET_METHODS),
        (PREDICTOR, PREDICTORS),
        (ENGINE, ENGINES),
    )
    pairs = {(n, c.__name__) for suite, registry in suites for n in registry.names() for c in suite.checks}
    assert pairs >= SLOW_PAIRS


class TestChain(SpaceSuite):
    """A user's function that makes modules, with a complexity order."""

    def case(self) -> SpaceCase:
        return SpaceCase(programs.chain)


class TestBuilder(SpaceSuite):
    """A user's function that returns a builder, without a complexity order, every kind of question."""

    def case(self) -> SpaceCase:
        return SpaceCase(programs.wide)


class TestProgressiveOnAFunction(StrategySuite):
    """Progressive search needs no more of a space than a `pick.depth`."""

    def case(self) -> StrategyCase:
        strategy = STRATEGIES.make({"name": "progressive", "arguments": STRATEGY_SETTINGS["progressive"]})
        return StrategyCase(strategy, programs.quick, trials=25, lag_free=True)
