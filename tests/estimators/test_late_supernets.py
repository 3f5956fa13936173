"""Supernets whose time is over: what they have learned stands."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load_file

import gate_cases
from cambrian.estimators.one_shot import SUPERNET
from cambrian.estimators.training_run import TRAINING
from cambrian.weights import Continue


def test_a_part_that_begins_too_late_is_the_part_before(tmp_path: Path) -> None:
    """With its weights, bit for bit, its gates and its value; it says how much of its epochs it was trained,
    and cannot be gone on from."""
    first = tmp_path / "first"
    second = tmp_path / "second"
    for place in (first, second):
        place.mkdir()
    settings = {"epochs": 2, "curvature": 0}
    whole = gate_cases.train(gate_cases.make_job("darts", settings, epochs=1, keep=first))
    job = gate_cases.make_job(
        "darts",
        settings,
        epochs=2,
        keep=second,
        artifacts={TRAINING: first / TRAINING},
        deadline=time.monotonic() - 1.0,
        shorten=True,
    )
    request = msgspec.structs.replace(job.request, weights=Continue(0))  # type: ignore[type-var]
    late = gate_cases.train(dataclasses.replace(job, request=request))
    assert (late.metrics["epochs"], late.metrics["planned_epochs"]) == (1.0, 2.0)
    assert late.value == whole.value
    assert late.data["gates"] == whole.data["gates"]
    one, other = (load_file(place / SUPERNET) for place in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not (second / TRAINING).exists()
