"""Measures of untrained networks as values of trials."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cambrian.architecture import sample
from cambrian.errors import UnknownName
from cambrian.estimators.build import build_network
from cambrian.estimators.job import Job
from cambrian.estimators.proxy import Proxy, draw_batch
from cambrian.estimators.train import Train
from cambrian.goal import Goal
from cambrian.networks.measure.measure import find_measure
from cambrian.outcome import Done, Fidelity, Infeasible, Outcome
from cambrian.randomness import stream
from cambrian.search.loop.final import Final
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.testing import toy_task

SMALL = Fidelity(epochs=1, skeleton={"filters": 4, "cells": 1})


def job() -> Job:
    space = SPACES.make("nasbench201")
    return Job.of(space, sample(space, stream(0, "cell")), SMALL, toy_task())


def finish(estimate: Any) -> Outcome:
    """The outcome of an estimate, which has no points."""
    with pytest.raises(StopIteration) as stop:
        next(estimate)
    outcome: Outcome = stop.value.value
    return outcome


@pytest.mark.parametrize("name", ["snip", "naswot", "layers"])
def test_the_value_is_the_measure_of_the_networks_own_weights(name: str) -> None:
    """On labelled images of the training part, which are the same each time; it took seconds, and the sizes
    are reported."""
    outcome = finish(Proxy(name).run(job()))
    network, task = build_network(job()), job().task
    assert isinstance(outcome, Done)
    assert isinstance(network, nn.Module)
    assert task is not None
    measure: Any = find_measure(name)
    batch = draw_batch(job(), task, measure.images)
    labelled = hasattr(measure, "measure_labelled")
    expected = measure.measure_labelled(network, batch) if labelled else measure(network, batch.images, "cpu")
    assert outcome.value == expected
    assert outcome.seconds > 0
    assert set(outcome.metrics) == {"params", "macs"}
    assert torch.equal(batch.targets, draw_batch(job(), task, measure.images).targets)


def test_a_proxy_knows_what_its_images_are_labelled_with() -> None:
    """Of numbers the loss of the gradient is that of numbers."""
    numbers = np.linspace(0, 1, len(toy_task().inputs))
    known = Goal("numbers", mean=0.5, std=0.3)
    task = dataclasses.replace(toy_task(), targets=numbers, labels=("price",), goal=known)
    outcome = finish(Proxy("snip").run(dataclasses.replace(job(), task=task)))
    assert isinstance(outcome, Done)
    assert draw_batch(job(), task, 4).goal == known


def test_a_score_that_is_not_defined_is_infeasible() -> None:
    """Of a network without rectifiers there is no naswot, which the trial says."""

    def build(space: Any, architecture: Any, task: Any, **settings: Any) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(task.channels * task.height * task.width, task.classes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(SPACES.make("nasbench201")), "build", build)
        outcome = finish(Proxy("naswot").run(job()))
    assert isinstance(outcome, Infeasible)
    assert outcome.reason == "nan"
    assert "rectifiers" in outcome.detail


def test_a_search_names_a_measure_as_its_estimator() -> None:
    """With and without settings; its best trial has the highest value."""
    for name in ("synflow", "linear_regions(images=8)"):
        result = Search("nasbench201", "random", name, toy_task(), 4, fidelity=SMALL).run()
        values = [t.value for t in result.trials if t.value is not None]
        assert result.best is not None
        assert result.best.value == max(values)


def test_a_proxy_is_a_limit_and_an_objective() -> None:
    """A network over the limit is refused with its number, and the others have theirs among their metrics; a
    network without one misses the limit."""
    open_search = Search(
        "nasbench201", "random", "layers", toy_task(), 6, fidelity=SMALL, objectives=["+synflow"]
    )
    scores = [t.outcome.metrics["synflow"] for t in open_search.run().trials if isinstance(t.outcome, Done)]
    middle = sorted(scores)[len(scores) // 2]
    result = Search(
        "nasbench201", "random", "layers", toy_task(), 6, fidelity=SMALL, limits={"synflow": middle}
    ).run()
    kept = [t.outcome.metrics["synflow"] for t in result.trials if isinstance(t.outcome, Done)]
    refused = [t.outcome for t in result.trials if isinstance(t.outcome, Infeasible)]
    assert kept
    assert max(kept) <= middle
    assert refused
    assert all(o.metrics["synflow"] > middle for o in refused)


def test_a_misspelt_measure_is_named() -> None:
    """The nearest of estimators and measures."""
    with pytest.raises(UnknownName, match=r"unknown estimator 'sinflow'; did you mean 'synflow'"):
        Search("nasbench201", "random", "sinflow", toy_task(), 4)
    with pytest.raises(UnknownName, match=r"did you mean 'naswot'"):
        Proxy("nasvot")


def test_another_estimator_trains_the_winner(tmp_path: Any) -> None:
    """A search by a proxy ends with a trained network where the final stage names one that trains."""
    final = Final(SMALL, top=1, baselines=(), estimator="train")
    result = Search(
        "nasbench201",
        "random",
        "synflow",
        toy_task(),
        3,
        fidelity=SMALL,
        estimators={"train": Train()},
        final=final,
    ).run(tmp_path)
    assert result.winner is not None
    assert result.best is not None
    assert result.winner.architecture == result.best.architecture
    assert "test_accuracy" in result.winner.outcome.metrics  # type: ignore[union-attr]
