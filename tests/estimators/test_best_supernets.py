"""Supernets of which the weights of the best epoch are kept, and not those of the last."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
from safetensors.torch import load_file

import gate_cases
from cambrian.estimators.one_shot import SUPERNET, OneShot, make_supernet
from cambrian.estimators.training_run import TRAINING
from cambrian.networks.checkpoint import load_weights
from cambrian.spaces.knowledge import Mixes, know
from cambrian.weights import Continue

# A rate that overshoots, so that the last epoch is not the best.
BEST = OneShot(
    batch_size=16,
    paths=1,
    statistics_batches=1,
    warmup=0.0,
    learning_rate=2.0,
    schedule="constant",
    score="best",
)
SETTINGS = {"epochs": 4, "curvature": 0, "gate_rate": 0.1}


def test_gates_are_those_of_the_epoch_whose_weights_are_kept(tmp_path: Path) -> None:
    """The architecture that they stand for has the value that is reported, with the weights that are kept;
    the course is of all epochs."""
    job = gate_cases.make_job("darts", SETTINGS, epochs=4, keep=tmp_path)
    done = gate_cases.train(job, BEST)
    best, course = int(done.metrics["best_epoch"]), done.data["course"]["gates"]
    assert best < 4
    assert all(len(rows) == 4 for rows in course.values())
    for site, gates in done.data["gates"].items():
        assert gates == pytest.approx(course[site][best - 1], abs=1e-6)
    assert any(
        gates != pytest.approx(course[site][-1], abs=1e-3) for site, gates in done.data["gates"].items()
    )
    task, mixes = job.task, know(job.space, Mixes)
    assert task is not None
    assert mixes is not None
    supernet = make_supernet(job, task, job.request.outer)  # type: ignore[union-attr]
    load_weights(supernet, tmp_path / SUPERNET)
    supernet.choose(mixes.derive(done.data["gates"], supernet.outer))
    assert BEST._score(job, task, supernet)["value"] == pytest.approx(done.value)


def test_the_best_epoch_may_be_one_of_an_earlier_part(tmp_path: Path) -> None:
    """A training in two parts ends with the gates and the weights of one in a single part."""
    places = {name: tmp_path / name for name in ("whole", "first", "second")}
    for place in places.values():
        place.mkdir()
    whole = gate_cases.train(gate_cases.make_job("darts", SETTINGS, epochs=4, keep=places["whole"]), BEST)
    begun = int(whole.metrics["best_epoch"])
    gate_cases.train(gate_cases.make_job("darts", SETTINGS, epochs=begun, keep=places["first"]), BEST)
    training = {TRAINING: places["first"] / TRAINING}
    job = gate_cases.make_job("darts", SETTINGS, epochs=4, keep=places["second"], artifacts=training)
    request = msgspec.structs.replace(job.request, weights=Continue(0))  # type: ignore[type-var]
    parted = gate_cases.train(dataclasses.replace(job, request=request), BEST)
    assert parted.data == whole.data
    one, other = (load_file(places[name] / SUPERNET) for name in ("whole", "second"))
    assert all((one[name] == other[name]).all() for name in one)
