"""What a space of one's own would do to every trial is said before the first."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cambrian
from cambrian.errors import Unbuildable, UsageError
from cambrian.exports.export import export_network
from cambrian.search.loop.final import Final
from cambrian.search.planning.plan import plan

Forward = Callable[[nn.Module, torch.Tensor], Any]


class Net(nn.Module):
    """A linear layer, and a forward of one's own."""

    def __init__(self, classes: int, forward: Forward) -> None:
        super().__init__()
        self.linear = nn.Linear(64, classes)
        self._forward = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self._forward(self.linear, x.flatten(1))


def program(forward: Forward, more: int = 0) -> Any:
    @cambrian.space
    def net(pick: Any, task: Any) -> Any:
        pick("a", [1, 2])
        return lambda: Net(task.classes + more, forward)

    return net


@pytest.fixture(scope="module")
def task() -> cambrian.Task:
    return cambrian.load("digits", limit=120)


def searched(space: Any, task: cambrian.Task, directory: Path | None = None) -> Any:
    final = Final(cambrian.Fidelity(1), top=1, baselines=()) if directory else None
    search = cambrian.Search(
        space, "random", "train", task, budget=2, fidelity=cambrian.Fidelity(1), final=final
    )
    return search.run(directory)


@pytest.mark.parametrize("way", ["plan", "run"])
@pytest.mark.parametrize(
    ("forward", "more", "says"),
    [
        (lambda f, x: f(x), -5, "the network gives [2, 5] for 2 inputs, expected [2, 10]"),
        (lambda f, x: {"logits": f(x)}, 0, "the network gives a dict with the keys ['logits']"),
        (lambda f, x: None, 0, "the network gives None"),
    ],
)
def test_what_is_no_logits_is_refused(
    task: cambrian.Task, way: str, forward: Forward, more: int, says: str
) -> None:
    """With what it is, in a plan and where a search is begun, and without a word on the images' size."""
    with pytest.raises(Unbuildable, match=re.escape(says)) as caught:
        plan(task, 2, space=program(forward, more)) if way == "plan" else searched(
            program(forward, more), task
        )
    assert "size" not in str(caught.value)


def test_nothing_is_left_behind(task: cambrian.Task, tmp_path: Path) -> None:
    """After the space was mended, the same directory does."""
    with pytest.raises(Unbuildable):
        searched(program(lambda f, x: None), task, tmp_path / "run")
    assert searched(program(lambda f, x: f(x)), task, tmp_path / "run").winner is not None


@pytest.mark.usefixtures("clean_is_forked")
def test_a_second_head_in_evaluation(task: cambrian.Task, tmp_path: Path) -> None:
    """The first is scored and handed over: the program gives what it gives."""
    result = searched(program(lambda f, x: (f(x), -f(x))), task, tmp_path / "run")
    assert all(t.value is not None for t in result.trials)
    program_file = cambrian.export(result, tmp_path / "out") / "program.pt2"
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = result.model()(images)
    given = torch.export.load(program_file).module()(images)
    assert torch.allclose(given, wanted, atol=1e-5)


def test_a_network_that_cannot_be_exported(task: cambrian.Task, tmp_path: Path) -> None:
    """Is said before the search and, where it is exported all the same, in one sentence with the line."""
    branching = program(lambda f, x: f(x) if x.mean() > 0 else f(-x))
    with pytest.warns(UserWarning, match="can be trained and not be handed over"):
        result = searched(branching, task, tmp_path / "run")
    with pytest.raises(UsageError, match=r"test_space_check.py, line \d+\) decides by the numbers") as caught:
        cambrian.export(result, tmp_path / "out")
    assert "\n" not in str(caught.value)


FACTS = {"labels": ["a"] * 3, "mean": [0.0], "std": [1.0], "channels": 1, "height": 8, "width": 8}


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda f, x: torch.cat([f(x[i : i + 1]) for i in range(len(x))]), "fixed to one number of images"),
        (lambda f, x: f(torch.from_numpy(x.numpy() * 2)), "torch.export fails in its forward"),
        (lambda f, x: f(x[:, :3]), "cannot be exported: RuntimeError: mat1 and mat2"),
    ],
)
def test_an_export_ends_in_a_sentence(forward: Forward, says: str, tmp_path: Path) -> None:
    """Whatever torch raises."""
    with pytest.raises(UsageError, match=says):
        export_network(Net(3, forward), FACTS | {"stored": "uint8"}, tmp_path / "out", architecture_json={})
    assert not (tmp_path / "out").exists()


def test_nothing_to_train(task: cambrian.Task) -> None:
    """No weights, or all of them frozen."""

    @cambrian.space
    def frozen(pick: Any, task: Any) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, pick("a", [10])).requires_grad_(False))

    with pytest.raises(Unbuildable, match="no weights that can be trained"):
        searched(frozen, task)


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda f, x: f(x).softmax(1), "give probabilities, and training expects logits"),
        (lambda f, x: f(nn.functional.dropout(x)), "give something else each time"),
    ],
)
def test_what_is_trained_and_odd(task: cambrian.Task, forward: Forward, says: str) -> None:
    """Is trained, and said."""
    with pytest.warns(UserWarning, match=says):
        assert len(searched(program(forward), task).trials) == 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"fidelity": {"skeleton": {"filters": -1}}}, "filters is at least 2, got -1"),
        ({"fidelity": {"skeleton": {"cells": 1.5}}}, "cells is a whole number, got 1.5"),
        (
            {"fidelity": {"skeleton": {"filter": 8}}},
            "unknown skeleton setting 'filter'; did you mean 'filters'?",
        ),
        (
            {"fidelity": {"skeleton": {"skeleton": "cifer"}}},
            "unknown skeleton 'cifer'; did you mean 'cifar'?",
        ),
        ({"fidelity": {"skeleton": {"drop_path": 1}}}, "drop_path is at least 0 and below 1, got 1"),
        ({"final": {"skeleton": {"filters": 0}}}, "filters is at least 2, got 0"),
        ({"fidelity": {"epochs": 0}}, "fidelity: epochs is at least 1, got 0"),
        ({"fidelity": {"fraction": 1.5}}, "fidelity: fraction is above 0 and at most 1, got 1.5"),
        ({"fidelity": {"resolution": 0}}, "fidelity: resolution is at least 1, got 0"),
        ({"estimator": {"batch_size": 0}}, "training: batch_size is at least 2, got 0"),
        ({"estimator": {"momentum": 1}}, "training: momentum is at least 0 and below 1, got 1"),
        ({"estimator": {"learning_rate": float("inf")}}, "learning_rate is above 0 and finite, got inf"),
    ],
)
def test_a_wrong_setting_is_refused_when_the_search_is_made(
    settings: dict[str, Any], sentence: str, task: cambrian.Task
) -> None:
    """Of the skeleton, the fidelity, the final training, the estimator: before any budget is spent."""
    with pytest.raises(UsageError, match=re.escape(sentence)) as caught:
        cambrian.Search(
            "pnas",
            "random",
            {"name": "train", "arguments": settings.get("estimator", {})},
            task,
            budget=2,
            fidelity=cambrian.Fidelity(**settings.get("fidelity", {})),
            final=Final(cambrian.Fidelity(**settings["final"])) if "final" in settings else None,
        )
    assert not isinstance(caught.value, Unbuildable)
