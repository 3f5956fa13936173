"""Supernets that a worker keeps between the processes of its evaluations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

import gate_cases
from cambrian.architecture import sample
from cambrian.estimators import supernets
from cambrian.estimators.estimator import Holds
from cambrian.estimators.job import Job
from cambrian.estimators.one_shot import SUPERNET, OneShot
from cambrian.estimators.paths import Paths
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.chains.tabular.space import TabularNetworks
from cambrian.spaces.program.function_space import space
from cambrian.spaces.sharing import outer
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
    cells = NASBench201()
    jobs = [
        Job.of(
            cells,
            sample(cells, stream(n, "child")),
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


class Asked(Exception):
    """The step was made."""


def test_the_step_is_made_for_weights_on_their_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates are made where the weights are: made before the weights were moved they stayed on the CPU, and
    the first step by gates on a GPU failed."""
    seen: list[str] = []

    def make_method(one_shot: OneShot, job: Job, task: Any, supernet: nn.Module) -> None:
        seen.extend({parameter.device.type for parameter in supernet.parameters()})
        raise Asked

    monkeypatch.setattr(OneShot, "make_method", make_method)
    job = gate_cases.make_job("darts", task=toy_task())
    with pytest.raises(Asked):
        next(ONE_SHOT.run(replace(job, device="meta")))
    assert seen == ["meta"]


class Centred(nn.Module):
    """Changes its input in place."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sub_(1)


@space
def centred(pick: Any, task: Any) -> nn.Module:
    """One convolution of two, behind a module of a user."""
    sides = {"small": 1, "large": 3}
    options = {name: partial(nn.Conv2d, task.channels, 4, side) for name, side in sides.items()}
    convolution = pick.module("convolution", options)
    return nn.Sequential(Centred(), convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize("searched", [centred, TabularNetworks(blocks=1)], ids=["changed", "flat"])
def test_children_that_change_or_view_their_inputs_are_scored_alike(searched: Any, tmp_path: Path) -> None:
    """Each as if it were the first, whatever siblings and epochs did with the same images; the images of one
    channel are as the rows of a table."""
    task = toy_task(size=6, channels=1)
    trained = gate_cases.make_job("uniform", space=searched, task=task, epochs=2, keep=tmp_path)
    gate_cases.train(trained, ONE_SHOT)
    draw = Paths(searched, outer(searched, trained.architecture), 0, 0)
    file = {SUPERNET: tmp_path / SUPERNET}
    children = [draw(number) for number in range(4)]
    assert len(set(children)) > 1
    jobs = [
        Job.of(searched, child, Fidelity(), task, weights=Shared(0), artifacts=file) for child in children
    ]
    held, again = ([score(job) for job in jobs] for _ in range(2))
    alone = []
    for job in jobs:
        supernets._held.pop(task), supernets._batches.pop(task)
        alone.append(score(job))
    assert held == again == alone
