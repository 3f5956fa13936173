"""DARTS-ADA by real training: what is taken back goes on from the part before, and its weights decay more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cambrian.effort import ANEW
from cambrian.estimators import gate_course
from cambrian.estimators.train import Train
from cambrian.networks.training.step import Moment
from cambrian.outcome import Done, Fidelity
from cambrian.search.search import Search
from cambrian.strategies.one_shot.darts_ada import DARTSADA
from gate_cases import ONE_SHOT, coloured_task, make_job, make_step, take

SMALL = {"filters": 2, "cells": 1}


def search(strategy: DARTSADA) -> Search:
    train = Train(batch_size=16, warmup=0.0)
    return Search(
        "nasbench201",
        strategy,
        ONE_SHOT,
        coloured_task(),
        8,
        seed=3,
        fidelity=Fidelity(3, skeleton=SMALL),
        estimators={"final": train},
    )


def test_a_training_is_taken_back_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sign in epoch 3 of what began in epoch 2: the third epoch is trained once more from the files of the
    second, and its beginning is the same."""

    def find(course: dict[str, Any]) -> dict[str, Any]:
        return {"epoch": 3, "before": 2, "sign": "made up"} if len(course["loss"]) == 3 else {}

    monkeypatch.setattr(gate_course, "find_collapse", find)
    trials = search(DARTSADA(epochs=3, most_rises=1)).run(tmp_path / "run").trials
    parts = [t for t in trials if t.kind == "supernet"]
    assert [(t.fidelity.epochs, getattr(t.weights, "row", None)) for t in parts] == [
        *((1, None), (2, 0), (3, 1), (3, 1))
    ]
    outcomes = [t.outcome for t in parts]
    assert all(isinstance(o, Done) and ANEW not in o.data for o in outcomes)
    first, again = (o.data["course"]["loss"] for o in outcomes[2:] if isinstance(o, Done))
    assert first[:2] == again[:2]
    assert parts[3].method["arguments"]["rises"] == [2]
    assert trials[-1].estimator == "final"


def test_weights_decay_more_from_the_epoch_on() -> None:
    """A step before a rise is that of a training without one, bit for bit."""
    steps = [
        make_step(make_job("darts-ada", {"epochs": 3, "rises": rises}, epochs=3)) for rises in ([], [1, 2])
    ]
    for _, step in steps:
        take(step)
    plain, risen = (supernet.state_dict() for supernet, _ in steps)
    assert all(torch.equal(plain[name], tensor) for name, tensor in risen.items())
    usual, step = ONE_SHOT.weight_decay, steps[1][1]
    found = [set(step._by_weights.decays)]
    for epoch in (1, 2):
        step.take(torch.randn(8, 2, 8, 8), torch.randint(3, (8,)), Moment(epoch, 0, 9, 27))
        found.append(set(step._by_weights.decays))
    assert found == [{0.0, factor * usual} for factor in (1.0, 3.0, 9.0)]
