"""Latencies predicted from few measurements: against devices whose latency is exactly a sum over operations,
and fits against fits without the row."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.architecture import sample
from cambrian.cli.app import app
from cambrian.errors import UsageError
from cambrian.networks.measure.latency_table import LatencyTable
from cambrian.networks.measure.macs import macs
from cambrian.networks.measure.measure_network import measure_network
from cambrian.networks.measure.operation_totals import count_operations
from cambrian.networks.measure.predicted_latency import PredictedLatency
from cambrian.networks.measure.undefined import Undefined
from cambrian.predictors import spearman
from cambrian.search.latency import latency_sample
from cambrian.search.latency.latency_fit import fit_ridge, fit_table
from cambrian.search.latency.latency_sample import measure_sample
from cambrian.spaces import SPACES
from cambrian.spaces.program.function_space import Shape
from reseeding import SHIFT

TASK = Shape(1, 8, 8, 10)
SKELETON = {"filters": 4, "cells": 1}
COSTS = {"Conv2d": 3.0, "BatchNorm2d": 0.5, "ReLU": 0.25, "AvgPool2d": 1.5, "Linear": 2.0}


def additive(network, batch, device):
    """The latency of a made-up device: each call of a module costs a part that is fixed for its class and
    kernel, and a part that grows with its results."""
    seconds = 0.0

    def add(module, inputs, output):
        nonlocal seconds
        kernel = getattr(module, "kernel_size", 1)
        area = kernel[0] * kernel[1] if isinstance(kernel, tuple) else kernel
        seconds += 1e-4 * COSTS.get(type(module).__name__, 0.1) * area + 1e-8 * area * output.numel()

    hooks = [m.register_forward_hook(add) for m in network.modules() if not list(m.children())]
    with torch.no_grad():
        network.eval()(batch)
    for hook in hooks:
        hook.remove()
    return seconds


additive.unit = "s"


def fails_at_times(network, batch, device):
    """As `additive`, where it can be measured at all."""
    seconds = additive(network, batch, device)
    if round(seconds * 1e9) % 3 == 0:
        raise Undefined("this device cannot run it")
    return seconds


fails_at_times.unit = "s"


def per_image(network, batch, device):
    """Images a second: not a time."""
    return 1.0


def draw_networks(count, seed):
    space, rng = SPACES.make("nasbench201"), np.random.default_rng(seed + SHIFT)
    with torch.random.fork_rng(devices=[]):
        return [space.build(sample(space, rng), TASK, **SKELETON) for _ in range(count)]


def test_the_totals_are_those_of_other_measures():
    """Multiply-accumulates and parameters of whole networks; kinds sum to the totals."""
    for network in draw_networks(2, 1):
        counts = count_operations(network, (1, 8, 8))
        assert counts["macs"] == macs(network, (1, 8, 8))
        assert counts["params"] == sum(p.numel() for p in network.parameters())
        for total in ("calls", "results", "macs", "params"):
            parts = [n for name, n in counts.items() if name.endswith(f" {total}")]
            assert sum(parts) == counts[total]


def test_a_module_that_runs_twice_counts_twice():
    """By hand: two calls of a convolution of 2 x 2 weights and 3 x 3 results."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(2, 2, 3, padding=1, bias=False)

        def forward(self, x):
            return self.convolution(self.convolution(x))

    counts = count_operations(Twice(), (2, 3, 3))
    assert counts["Conv2d 3x3 calls"] == 2
    assert counts["Conv2d 3x3 results"] == 2 * 18
    assert counts["Conv2d 3x3 macs"] == 2 * 18 * 18


@pytest.mark.parametrize("penalty", [1e-6, 0.1, 10.0])
def test_predictions_of_rows_left_out_are_those_of_fits_without_them(penalty):
    """Twelve rows of twenty columns, each left out in turn, with the whole fit's units and penalty."""
    rng = np.random.default_rng(3)
    columns, target = rng.normal(size=(12, 20)), rng.normal(size=12)
    fit = fit_ridge(columns, target, penalty)
    x = (columns - columns.mean(0)) / columns.std(0)
    strength = penalty * np.square(x).sum() / len(x)
    for i in range(len(x)):
        rest = np.delete(np.arange(len(x)), i)
        centre, mean = x[rest].mean(0), target[rest].mean()
        z = x[rest] - centre
        weights = np.linalg.solve(z.T @ z + strength * np.eye(20), z.T @ (target[rest] - mean))
        assert fit.left_out[i] == pytest.approx(mean + (x[i] - centre) @ weights, abs=1e-6)


@pytest.mark.slow
@pytest.mark.statistical
def test_an_additive_device_is_predicted_exactly():
    """After 20 measurements of cells of NAS-Bench-201 all others are predicted to a thousandth, in the right
    order; after 10 the order is nearly right."""
    space = SPACES.make("nasbench201")
    others = draw_networks(12, 99)
    truth = [additive(n, torch.zeros(1, 1, 8, 8), "cpu") for n in others]
    for count, least in ((20, 0.999), (10, 0.9)):
        table = measure_sample(
            space, TASK, count, "test_latency_tables:additive", seed=SHIFT, skeleton=SKELETON
        )
        predicted = [table.predict(count_operations(n, (1, 8, 8))) for n in others]
        assert table.measurements == count
        assert spearman(predicted, truth) >= least
        assert table.rank_correlation >= least - 0.1
        if count == 20:
            assert predicted == pytest.approx(truth, rel=1e-3)


def test_noise_alone_has_no_rank_correlation():
    """Latencies without relation to the networks: the number that is printed is near nothing, or below."""
    rng = np.random.default_rng(5)
    counts = [count_operations(n, (1, 8, 8)) for n in draw_networks(12, 7)]
    found = [fit_table(counts, rng.normal(1, 0.1, 12).tolist()).rank_correlation for _ in range(12)]
    assert np.mean(found) < 0.3
    assert fit_table(counts, [1.0] * 12).rank_correlation == 0.0


def test_a_measurement_that_fails_leaves_its_network_out():
    """Counts and values stay those of the same networks: the table predicts as one of the additive device."""
    name = "test_latency_tables:fails_at_times"
    table = measure_sample(SPACES.make("nasbench201"), TASK, 20, name, seed=SHIFT, skeleton=SKELETON)
    others = draw_networks(6, 99)
    truth = [additive(n, torch.zeros(1, 1, 8, 8), "cpu") for n in others]
    assert [table.predict(count_operations(n, (1, 8, 8))) for n in others] == pytest.approx(truth, rel=1e-2)


def test_the_command_and_the_limit(tmp_path, monkeypatch):
    """`cambrian latency` writes a table and prints its rank correlation; a search with a limit on it trains
    nothing over the limit, and its metrics are the table's predictions."""
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(
        app,
        [
            *("latency", "digits", "--space", "nasbench201", "--measurements", "12", "--filters", "4"),
            *("--cells", "1", "--measure", "test_latency_tables:additive", "--out", "phone.json"),
        ],
    )
    assert made.exit_code == 0, made.output
    assert "rank correlation 0.9" in made.output or "rank correlation 1.0" in made.output
    facts = json.loads((tmp_path / "phone.json").read_text())
    assert (facts["measured"], facts["measurements"]) == ("test_latency_tables:additive", 12)
    name = "predicted_latency(table=phone.json)"
    network = draw_networks(1, 4)[0]
    table = LatencyTable(**facts)
    expected = table.predict(count_operations(network, (1, 8, 8)))
    assert measure_network([name], network, (1, 8, 8)) == {name: expected}
    assert "12 measurements" in PredictedLatency("phone.json").protocol("cpu")
    assert "rank correlation" in PredictedLatency("phone.json").protocol("cpu")


def test_a_table_that_finds_no_place_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    """In a folder that is not there, and in the place of one."""
    monkeypatch.setattr(latency_sample, "measure_sample", lambda *arguments: pytest.fail("measured"))
    for place in (tmp_path / "absent" / "phone.json", tmp_path):
        refused = CliRunner().invoke(app, ["latency", "digits", "--out", str(place)])
        assert isinstance(refused.exception, UsageError), refused.output
        assert str(refused.exception) == f"{place} cannot be written: name a file in a folder that exists"


def test_mistakes_are_one_sentence(tmp_path):
    """No table, a file that is none, a measure that is no time."""
    with pytest.raises(UsageError, match="make one by `cambrian latency`"):
        PredictedLatency().protocol("cpu")
    (tmp_path / "x.json").write_text("{}")
    for place in (tmp_path / "x.json", tmp_path / "absent.json"):
        with pytest.raises(UsageError, match="is not a table of latencies"):
            PredictedLatency(str(place))
    with pytest.raises(UsageError, match="expected a measure in seconds"):
        measure_sample(SPACES.make("nasbench201"), TASK, 5, "test_latency_tables:per_image")
