"""`benchmarks/limits.py`: its exact optimum by brute force, and nothing over a limit is trained."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cambrian.outcome import Done, Infeasible
from cambrian.search.search import Search
from published_tables import needs_tables

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "limits.py"


@pytest.fixture(scope="module")
def limits() -> ModuleType:
    spec = importlib.util.spec_from_file_location("limits_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["limits_script"] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@needs_tables
def test_nothing_over_the_limit_is_trained(limits: ModuleType) -> None:
    """The outcome has the latency by which a network was refused; the regret is to the best that keeps it."""
    contest = limits.Contest("lat_pixel2", 14.4)
    estimator = contest.table.estimator
    limited = limits.Limited(estimator, "lat_pixel2", 14.4)
    search = Search(
        contest.table.space, "random", limited, budget=40, fidelity=contest.table.fidelity, engine="serial"
    )
    trials = search.run(quiet=True).trials
    table = estimator.open()
    latencies = table.column("lat_pixel2").values
    # A repeat of the same function has the outcome of its original, whose own latency counted.
    for trial in (t for t in trials if t.cached is None):
        latency = latencies[table.row(contest.table.space, trial.architecture)]
        assert isinstance(trial.outcome, Done if latency <= 14.4 else Infeasible)
    values = table.column(estimator.objective).values[:, -1] * estimator.scale
    best = max(value for value, latency in zip(values, latencies, strict=True) if latency <= 14.4)
    assert contest.optimum == pytest.approx(best)
    assert contest.optimum < values.max()
    figures = contest.play("random", 0)
    assert 0 <= figures["regret"] < 5
    assert 0.3 < figures["refused"] < 0.8 < np.mean(latencies <= 34.0)
