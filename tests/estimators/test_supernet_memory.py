"""The memory of a search by a supernet, as it is estimated before its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gate_cases
from cambrian.architecture import sample
from cambrian.estimators import supernet_cost, supernets
from cambrian.estimators.job import Job
from cambrian.estimators.one_shot import SUPERNET, OneShot
from cambrian.estimators.supernet_cost import measure_supernet
from cambrian.networks.measure.memory import LiveBytes
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.testing import toy_task
from cambrian.weights import Shared

ONE_SHOT = OneShot(batch_size=32, paths=1, statistics_batches=1)
SKELETON = {"filters": 8, "cells": 1}
CHILDREN = 128


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("uniform", {}), pytest.param("darts", {"curvature": 1}, marks=pytest.mark.slow)],
)
def test_the_estimate_is_within_a_fifth_of_what_a_run_takes(
    method: str, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the tensors alive at the peak of a training, from its beginning to its files, and at the peak of the
    scores of many children with the outputs that they share. These are the larger part of a score."""
    monkeypatch.setattr(supernet_cost, "ENOUGH", 0.4)
    task = toy_task(96, 16, 3)
    job = gate_cases.make_job(method, arguments, task=task, skeleton=SKELETON, keep=tmp_path)
    cost = measure_supernet(ONE_SHOT, job)
    with LiveBytes() as live:
        gate_cases.train(job, ONE_SHOT)
    assert cost.bytes == pytest.approx(live.peak, rel=0.2)
    if method == "darts":  # whose children are scored in the same way
        return
    place: dict[str, Any] = {"weights": Shared(0), "artifacts": {SUPERNET: tmp_path / SUPERNET}}
    children = [sample(NASBench201(), stream(n, "child")) for n in range(CHILDREN)]
    jobs = [Job.of(NASBench201(), c, Fidelity(1, skeleton=SKELETON), task, **place) for c in children]
    for scored in jobs[1:]:
        score(scored)
    _, supernet, memo = supernets._held[task]
    kept = memo.bytes
    with LiveBytes([*supernet.parameters(), *supernet.buffers()]) as live:
        score(jobs[0])
    assert cost.children == pytest.approx(kept + live.peak, rel=0.2)
    assert kept > live.peak


def score(job: Job) -> None:
    with pytest.raises(StopIteration):
        next(ONE_SHOT.run(job))
