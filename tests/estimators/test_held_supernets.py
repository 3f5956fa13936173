"""Supernets that a worker keeps between the processes of its evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gate_cases
from cambrian.architecture import sample
from cambrian.estimators import supernets
from cambrian.estimators.estimator import Holds
from cambrian.estimators.job import Job
from cambrian.estimators.one_shot import SUPERNET, OneShot
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.testing import toy_task
from cambrian.weights import Shared

ONE_SHOT = OneShot(batch_size=16, paths=1, statistics_batches=1)


def score(job: Job) -> float:
    outcomes: list[Any] = []

    def collect() -> Any:
        outcomes.append((yield from ONE_SHOT.run(job)))

    assert list(collect()) == []
    assert isinstance(outcomes[0], Done)
    return outcomes[0].value


def test_a_child_is_scored_alike_with_a_supernet_that_is_held(tmp_path: Path) -> None:
    """Held once, and not again; its children have the values that they have with one loaded from its file."""
    task = toy_task()
    trained = gate_cases.make_job("uniform", task=task, keep=tmp_path)
    gate_cases.train(trained, ONE_SHOT)
    space = NASBench201()
    jobs = [
        Job.of(
            space,
            sample(space, stream(n, "child")),
            Fidelity(1, skeleton=gate_cases.SKELETON),
            task,
            weights=Shared(0),
            artifacts={SUPERNET: tmp_path / SUPERNET},
        )
        for n in range(2)
    ]
    loaded = []
    for job in jobs:
        supernets._held.pop(task, None)
        loaded.append(score(job))
    supernets._held.pop(task, None)
    assert isinstance(ONE_SHOT, Holds)
    assert ONE_SHOT.hold(jobs[0])
    assert not ONE_SHOT.hold(jobs[1])
    assert [score(job) for job in jobs] == loaded
    assert not ONE_SHOT.hold(trained)
