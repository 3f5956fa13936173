"""`--estimator extrapolated(...)`: around a table's curves, around trainings, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import nn

from cambrian.cli.options.estimators import is_extrapolated, read_estimator, wrap_table
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.extrapolated import Extrapolated
from cambrian.estimators.tabular import Tabular
from cambrian.estimators.train import Train
from cambrian.search.result import Result
from commands import run_command
from published_tables import needs_tables


def test_it_is_read_with_its_settings() -> None:
    """Training is what a plan does by itself; a measure stays its name; anything else is the nearest name."""
    assert read_estimator(None) is read_estimator("train") is None
    assert read_estimator("zen(repeats=2)") == "zen(repeats=2)"
    read = read_estimator("extrapolated(model=svr(least=30), stop=optimistic)")
    assert read == Extrapolated(model="svr(least=30)", stop="optimistic")
    assert is_extrapolated(read)
    with pytest.raises(UnknownName, match="did you mean 'extrapolated'"):
        read_estimator("extrapolate")


def test_a_function_that_is_not_there_is_called_a_function() -> None:
    """A user's function that trains is no measure to them."""
    with pytest.raises(UsageError, match="cannot load function 'test_estimator_option:nope': module"):
        read_estimator("test_estimator_option:nope")


def test_a_measure_is_no_function_of_a_network_alone() -> None:
    """Whoever has a proxy of three arguments is told which estimator takes it."""
    with pytest.raises(UsageError, match=r"that is a measure, and Proxy\('MODULE:proxy'\)"):
        read_estimator("test_estimator_option:proxy")


def proxy(network: nn.Module, batch: object, device: str) -> float:
    return 0.0


def mean_weight(network: nn.Module) -> float:
    return float(sum(p.abs().mean() for p in network.parameters()))


def test_a_function_of_a_network_is_an_estimator() -> None:
    """By its name, as the guide to an own training loop gives it; other arguments, as a measure has them, are
    refused before the search."""
    assert read_estimator("test_estimator_option:mean_weight") == "test_estimator_option:mean_weight"
    with pytest.raises(UsageError, match=r"is a function f\(network\) or .*, got __call__"):
        read_estimator("cambrian.networks.measure.measure:FunctionMeasure.__call__")


def test_a_plan_wraps_its_own_training() -> None:
    """Unless another one is named, whose settings stay."""
    training = Train(batch_size=32)
    assert Extrapolated().wrap(training).estimator == training
    named = Extrapolated("train(batch_size=16)")
    assert named.wrap(training).estimator == Train(batch_size=16)


@needs_tables
def test_a_table_needs_curves() -> None:
    """What builds networks is refused, and so is a table of separate trainings, and an estimator within."""
    curves, others = Tabular("spikenas", "val_acc"), Tabular("nb201", "c10_val")
    assert wrap_table(None, curves) is curves
    assert wrap_table("extrapolated(model=pfn)", curves).estimator == curves
    for text, table, words in (
        ("naswot", curves, "which --benchmark does not build"),
        ("extrapolated", others, "this table has none"),
        ("extrapolated(inner=train)", others, "this table has none"),
        ("extrapolated(inner=proxy)", curves, "leave inner out"),
    ):
        with pytest.raises(UsageError, match=words):
            wrap_table(text, table)


@needs_tables
def test_a_search_on_a_table_ends_trainings_early(tmp_path: Path) -> None:
    """By the command line: some trials say how many epochs they saved, and the run is read back."""
    place = tmp_path / "run"
    estimator = "extrapolated(model=mean-gain)"
    words = ["search", "--benchmark", "spikenas", "--estimator", estimator, "--budget", "15", "--json"]
    done = run_command(*words, "--run", str(place))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objective"]["name"] == "val_acc"
    metrics = [t.outcome.metrics for t in Result.open(place).trials if t.outcome is not None]  # type: ignore[union-attr]
    assert sum(m.get("epochs_saved", 0) > 0 for m in metrics) > 2
