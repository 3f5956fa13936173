"""A supernet ranks first the architecture whose operations are of use, whichever method trains it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cambrian
from cambrian.estimators.one_shot import OneShot
from cambrian.outcome import Fidelity
from cambrian.search.search import Search
from cambrian.spaces.program.function_space import Shape
from tiers import slow_but


@cambrian.space(task=Shape(1, 8, 8, 2))
def planted(pick: Any, task: Any) -> Any:
    """Two forks, each of the way that sees, and of one that gives the same for every image."""
    from torch import nn

    def sees() -> nn.Module:
        return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())

    def blind() -> nn.Module:
        return nn.Sequential(nn.Threshold(1e9, 0.0), nn.Conv2d(4, 4, 1))

    ways = {"blind": blind, "sees": sees}
    first, second = pick.module("first", ways), pick.module("second", ways)
    stem = nn.Conv2d(task.channels, 4, 3, padding=1)
    return nn.Sequential(
        stem, first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, task.classes)
    )


@pytest.fixture(scope="module")
def stripes() -> cambrian.Task:
    """Stripes that lie or stand, in noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 2
    images = rng.normal(0, 30, (240, 8, 8, 1)) + 128
    images[labels == 0, ::2] += 60
    images[labels == 1, :, ::2] += 60
    return cambrian.load((images.clip(0, 255).astype(np.uint8), labels))


@pytest.mark.parametrize(
    "strategy",
    slow_but(
        ("random-shared", "spos"),
        ["random-shared", "spos", "fairnas", "sandwich", "once-for-all", "one-shot", "enas"],
    ),
)
def test_the_useful_operation_is_ranked_first(strategy: str, stripes: cambrian.Task) -> None:
    """With all four children scored, the one that sees twice is the best; a blind one is at chance."""
    one_shot = OneShot(batch_size=16, learning_rate=0.1, paths=1, statistics_batches=4, flip=False, crop=0)
    spec = {"name": strategy, "arguments": {"children": 4}}
    result = Search(planted, spec, one_shot, stripes, seed=1, fidelity=Fidelity(8)).run()
    children = {tuple(t.architecture.values()): t.value or 0.0 for t in result.trials if t.kind == "trial"}
    assert max(children, key=lambda ways: children[ways]) == ("sees", "sees")
    assert children["sees", "sees"] > 0.8
    assert all(value < 0.7 for ways, value in children.items() if "blind" in ways)
